/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What GET /v1/me answers, kept in this process for PROFILE_TTL_MS so that an account is read and
 * opened once and not with every request. Where processes share a cache, it holds a stamp of each
 * account that was written lately, and what was read before that stamp is not found any more; so
 * nobody sees a stale profile after their own write. What the operator's command writes past the
 * service is seen after PROFILE_TTL_MS. Thread-safe.
 */

#include "services/user/call.h"

#define PROFILE_TTL_MS 10000

/*
 * Fills call->content and ->version with the caller's. When it is not kept `read` gives it, which
 * sets call->version, too, and reads nothing but what profile_forget() is called for when it
 * changes.
 */
UserFailure profile_get(UserCall *call, UserHandler *read);
/* The same from memory alone, at once; false: it has to be asked for. */
bool profile_recall(UserCall *call);

/*
 * After a transaction that may have written the account of call->whose, or else of the caller, and
 * before the answer. user_call_run() does it for whatever is not a GET.
 */
void profile_forget(UserCall *call);
