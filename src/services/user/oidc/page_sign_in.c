/* SPDX-License-Identifier: Apache-2.0 */

/* What comes back from the page that asks who somebody is. */

#include "services/user/oidc/pages.h"
#include "services/user/sessions.h"
#include "services/user/sign_in.h"

#define EMAIL_SHOWN_MAX 300

bool page_sign_in_read(UserCall *call, const Form *form, SignInPage page) {
    SignInBody body = {.email = oidc_field(call, form, "email"),
                       .password = oidc_field(call, form, "password"),
                       .code = oidc_field(call, form, "code"),
                       .device = "",
                       .cookie = true};
    char token[SESSION_TOKEN_LEN + 1];
    UserFailure failure;
    Session before;

    call->set_cookie = NULL;
    if (sessions_authenticate_cookie(call) == USER_FAILURE_NONE) {
        before = call->session;
        body.before = &before;
        call->signed_in = false; /* until the password has been looked at */
    }
    if (!body.email || !body.password || strlen(body.email) > EMAIL_SHOWN_MAX ||
        strlen(body.password) > PASSWORD_LEN_MAX) {
        page.email = NULL;
        page.problem = "Please give your e-mail address and your password.";
        page_sign_in(call, 400, &page);
        return false;
    }
    failure = sign_in(call, &body, token);
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
