/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/mail_start.h"

#include "base/crypto/digest.h"
#include "services/user/text.h"
#include "services/user/throttle.h"

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

UserFailure mail_start_throttle(UserCall *call, const char *email) {
    const Throttle *throttle = &call->service->throttle;
    uint8_t hash[VAULT_HASH_LEN];
    char hex[2 * VAULT_HASH_LEN + 1];
    uint32_t wait_s;

    vault_hash_email(call->service->vault, str_from(email), hash);
    hex_encode((Str){(const char *)hash, sizeof(hash)}, hex);
    wait_s = throttle_take(throttle, THROTTLE_ADDRESS, str_from(http_request_peer(call->request)),
                           call->now_us);
    if (wait_s == 0) {
        wait_s = throttle_take(throttle, THROTTLE_MAIL, str_from(hex), call->now_us);
    }
    if (wait_s == 0) {
        return USER_FAILURE_NONE;
    }
    call->retry_after_s = wait_s;
    call->detail = arena_printf(call->arena, "Please try again in %u seconds.", wait_s);
    return USER_FAILURE_TOO_MANY;
}

UserFailure mail_start(UserCall *call, int (*send)(UserService *service, const char *email),
                       json_t **ret_body) {
    StartBody body;
    UserFailure failure = user_call_read(call, start_fields, &body);
    const char *email;

    if (failure != USER_FAILURE_NONE ||
        (failure = mail_start_address(call, body.email, &email)) != USER_FAILURE_NONE ||
        (failure = mail_start_throttle(call, email)) != USER_FAILURE_NONE) {
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
