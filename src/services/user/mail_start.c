/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/mail_start.h"

#include "services/user/attempts.h"
#include "services/user/text.h"

typedef struct StartBody {
    const char *email;
} StartBody;

static const JsonField start_fields[] = {
    {"email", JSON_FIELD_STR, offsetof(StartBody, email), true, .max = EMAIL_LEN_MAX + 2},
    {0},
};

UserFailure mail_start_address(UserCall *call, const char *text, const char **ret_email) {
    if (email_canonical(str_from(text), call->arena, ret_email) < 0) {
        call->detail =
            "email: not an e-mail address (only ASCII before the @; the domain may have more).";
        return USER_FAILURE_INVALID_FIELD;
    }
    return USER_FAILURE_NONE;
}

UserFailure mail_start(UserCall *call, int (*send)(UserService *service, const char *email),
                       json_t **ret_body) {
    StartBody body;
    UserFailure failure = user_call_read(call, start_fields, &body);
    const char *email;

    if (failure != USER_FAILURE_NONE ||
        (failure = mail_start_address(call, body.email, &email)) != USER_FAILURE_NONE ||
        (failure = attempts_take_mail(call, email)) != USER_FAILURE_NONE) {
        return failure;
    }
    if (send(call->service, email) != 0) {
        call->retry_after_s = 5;
        return USER_FAILURE_UNAVAILABLE;
    }
    call->status = 202;
    *ret_body = json_pack("{s:s}", "message", "A mail is on its way, if the address is right.");
    return USER_FAILURE_NONE;
}

UserFailure mail_link_stale(UserCall *call) {
    call->detail = "The link was used, has expired, or is incomplete. Ask for a new mail.";
    return USER_FAILURE_INVALID_TOKEN;
}
