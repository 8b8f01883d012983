/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Passwords: what one has to be like, and hashing under the cap that keeps a flood in bounds. */

#include "services/user/call.h"

#define PASSWORD_BYTES_MAX PASSWORD_LEN_MAX

/*
 * Passwords are taken in the one form that opaque_string.h gives them, whatever was typed.
 *
 * Whether it may be chosen: long enough, not too long, not made of one's own address or name, not
 * among those that everybody tries or that became public (setting breached-passwords).
 */
UserFailure passwords_check(UserCall *call, const char *password, const char *email);

/* An Argon2id string in the arena. USER_FAILURE_UNAVAILABLE when too many wait. */
UserFailure passwords_hash(UserCall *call, const char *password, const char **ret_phc);

/*
 * Compares; takes equally long when `phc` is NULL, as there is no such account then. One that was
 * hashed as it was typed, before there was one form, is right as well.
 * USER_FAILURE_WRONG_CREDENTIALS, or USER_FAILURE_UNAVAILABLE when too many wait. *ret_outdated,
 * which may be NULL: whether to hash it anew.
 */
UserFailure passwords_verify(UserCall *call, const char *password, const char *phc,
                             bool *ret_outdated);
