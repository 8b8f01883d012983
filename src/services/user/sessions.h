/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who is signed in. A session's token comes as a cookie (`__Host-session` under TLS, else
 * `session`) or as `Authorization: Bearer`. The table is the truth; what it said is kept in the
 * cache for a minute, under the hash of the token's secret, and taken out when the session ends.
 */

#include "services/user/account_store.h"
#include "services/user/call.h"

#define SESSION_COOKIE(secure) ((secure) ? "__Host-session" : "session")

/* Fills call->session, or says USER_FAILURE_SIGNED_OUT. Takes access tokens too: call->by_token. */
UserFailure sessions_authenticate(UserCall *call);
/* The same of a session's token: 0, SESSION_E_NONE, or a fault. The call needs no request. */
int sessions_find(UserCall *call, Str token);
/* Whether what authenticates this request, if anything does, is the cookie. */
bool sessions_by_cookie(UserCall *call);
/* The same by the cookie alone: for pages, which nothing but a browser asks for. */
UserFailure sessions_authenticate_cookie(UserCall *call);
/* As sessions_authenticate() from memory alone, at once; false: it has to be asked for. */
bool sessions_recall(UserCall *call);

/*
 * What the browser is signed in with already: call->before, which the new session then takes the
 * place of. call->session is nobody's afterwards, until the proof has been looked at.
 */
void sessions_look_before(UserCall *call);

/*
 * In a transaction: a new session of that account for the device that calls. `ret_token` is what
 * its holder gets to keep.
 */
int sessions_open(DbTx *tx, UserCall *call, const UserKey *key, uint32_t methods,
                  const char *device_name, Session *ret_session,
                  char ret_token[SESSION_TOKEN_LEN + 1]);

/*
 * The same in the place of the session that the device has: renewed when it is of that account,
 * with its id, its name unless there is a new one, and all that clients were given in it, but with
 * another token; else ended, which is noted in the trail of the account that it was of.
 * sessions_forget_before() afterwards.
 */
int sessions_reopen(DbTx *tx, UserCall *call, const UserKey *key, uint32_t methods,
                    const Session *before, const char *device_name, Session *ret_session,
                    char ret_token[SESSION_TOKEN_LEN + 1]);

/* After the transaction that removed or changed it: the table is asked again from now on. */
void sessions_forget(UserCall *call, const Uuid *session_ids, size_t n);
/* The same of call->before, if there is one. */
void sessions_forget_before(UserCall *call);

/* How somebody proved who they are: ["password", "totp"]. */
json_t *sessions_methods_json(uint32_t methods);

/* {"id", "name", "agent", "address", "methods", "created", "seen", "expires", "current"} */
json_t *sessions_json(const UserCall *call, const Session *session);

/* The answer to whoever has just signed in: {"user", "session"} and the cookie, or with `cookie`
 * false, the token. */
json_t *sessions_opened_json(UserCall *call, const Account *account, const Session *session,
                             const char *token, bool cookie);
