/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Signing in with address and password, for whoever shows the form. */

#include "services/user/account_store.h"
#include "services/user/call.h"

typedef struct SignInBody {
    const char *email, *password, *code, *device; /* code NULL: none */
    bool cookie;
} SignInBody;

/*
 * With throttling, second factor, audit and metrics. On USER_FAILURE_NONE call->session is the new
 * session and ret_token what its holder keeps. What it answers and how long it takes does not tell
 * whether there is an account.
 */
UserFailure sign_in(UserCall *call, const SignInBody *body, char ret_token[SESSION_TOKEN_LEN + 1]);

enum {
    SIGN_IN_E_LOCKED = 200, /* the account is, or is being erased */
};

/* What was proved when it is not address and password. */
typedef struct SignInProof {
    uint32_t methods;          /* SESSION_METHOD_... */
    const char *code, *device; /* code NULL: none was sent */
    const char *subject;       /* for the audit trail, or NULL */
} SignInProof;

/*
 * In a transaction: signs in to `account`, which was read in it. Asks for the second factor where
 * there is one, but not of a passkey, which is two in one, takes back an erasure that was asked
 * for, writes the account, opens the session (in the place of call->before) and appends to the
 * trail. 0, SIGN_IN_E_LOCKED, a SECOND_FACTOR_E_, or a fault.
 */
int sign_in_open(DbTx *tx, UserCall *call, Account *account, const SignInProof *proof,
                 Session *ret_session, char ret_token[SESSION_TOKEN_LEN + 1]);

/* After that transaction: forgets the session that it took the place of, and tells the account's
 * owner when it took back an erasure. */
void sign_in_opened(UserCall *call, const char *email);
