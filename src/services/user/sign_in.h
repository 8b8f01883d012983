/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Signing in with address and password, for whoever shows the form. */

#include "services/user/call.h"

typedef struct SignInBody {
    const char *email, *password, *code, *device; /* code NULL: none */
    bool cookie;
    const Session *before; /* that the device has, and that this one takes the place of; or NULL */
} SignInBody;

/*
 * With throttling, second factor, audit and metrics. On USER_FAILURE_NONE call->session is the new
 * session and ret_token what its holder keeps. What it answers and how long it takes does not tell
 * whether there is an account.
 */
UserFailure sign_in(UserCall *call, const SignInBody *body, char ret_token[SESSION_TOKEN_LEN + 1]);
