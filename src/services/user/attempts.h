/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What may be tried how often, for whoever handles a request. Each attempts_take_... counts one
 * attempt and gives USER_FAILURE_NONE, or USER_FAILURE_TOO_MANY with call->retry_after_s and
 * call->detail filled; then it was not counted. `email` is an address in canonical form, of an
 * account or of nobody: what is answered does not tell. How they are counted is in
 * attempt_counts.h. Thread-safe.
 */

#include "services/user/call.h"

/* Something that costs us work, by the network that it comes from. */
UserFailure attempts_take_network(UserCall *call);

/* A password of that account, with attempts_take_network(). */
UserFailure attempts_take_account(UserCall *call, const char *email);

/* A code of its second factor, or a recovery code, by whoever had the first factor right. */
UserFailure attempts_take_code(UserCall *call, const char *email);

/* A mail to that address, with attempts_take_network(). */
UserFailure attempts_take_mail(UserCall *call, const char *email);

/* A device's request for codes (RFC 8628), by its network. */
UserFailure attempts_take_device(UserCall *call);

/* A device's code, typed by whoever is signed in, with attempts_take_network(). The right ones
 * count too: whoever guesses has codes of their own to type in between. */
UserFailure attempts_take_user_code(UserCall *call);

/* Whoever calls has proved to be that account's owner. */
void attempts_succeeded(UserCall *call, const char *email);
