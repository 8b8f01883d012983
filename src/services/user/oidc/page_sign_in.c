/* SPDX-License-Identifier: Apache-2.0 */

/* What comes back from the page that asks who somebody is. */

#include "base/error.h"
#include "services/user/oidc/pages.h"
#include "services/user/passkey/part.h"
#include "services/user/profile.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"
#include "services/user/sign_in.h"

#define EMAIL_SHOWN_MAX 300

static UserFailure sign_in_by_passkey(UserCall *call, const char *text,
                                      char ret_token[SESSION_TOKEN_LEN + 1]) {
    _cleanup_(json_decrefp) json_t *credential = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    _cleanup_(account_done) Account account = {0};
    UserFailure failure = passkey_sign_in(call, credential, "", &account, ret_token);

    read_token_keep(call, failure); /* as in sign_in(): pages end their calls in their own way */
    profile_forget(call);
    return failure;
}

static UserFailure sign_in_by(UserCall *call, const char *credential, const SignInBody *body,
                              char ret_token[SESSION_TOKEN_LEN + 1]) {
    return credential ? sign_in_by_passkey(call, credential, ret_token)
                      : sign_in(call, body, ret_token);
}

bool page_sign_in_read(UserCall *call, const Form *form, SignInPage page) {
    SignInBody body = {.email = oidc_field(call, form, "email"),
                       .password = oidc_field(call, form, "password"),
                       .code = oidc_field(call, form, "code"),
                       .device = "",
                       .cookie = true};
    const char *credential = oidc_field(call, form, "credential");
    char token[SESSION_TOKEN_LEN + 1];
    UserFailure failure;

    call->set_cookie = NULL;
    sessions_look_before(call);
    if (!credential && (!body.email || !body.password || strlen(body.email) > EMAIL_SHOWN_MAX ||
                        strlen(body.password) > PASSWORD_LEN_MAX)) {
        page.email = NULL;
        page.problem = "Please give your e-mail address and your password.";
        page_sign_in(call, 400, &page);
        return false;
    }
    failure = sign_in_by(call, credential, &body, token);
    if (failure != USER_FAILURE_NONE) {
        const UserFailureInfo *info = user_failure_info(failure);
        page.email = body.email;
        page.problem = failure == USER_FAILURE_SECOND_FACTOR
                           ? "Please give the code of your authenticator app, too."
                           : arena_printf(call->arena, "%s. %s", info->title,
                                          call->detail ? call->detail : "");
        page_sign_in(call, info->status, &page);
        return false;
    }
    call->set_cookie = user_call_cookie(call, token);
    return true;
}
