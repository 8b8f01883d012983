/* SPDX-License-Identifier: Apache-2.0 */

/* Another address: proved by a link that is sent to it; the old one is told. */

#include "base/error.h"
#include "services/user/account_store.h"
#include "services/user/attempts.h"
#include "services/user/mail_start.h"
#include "services/user/mail_token_store.h"
#include "services/user/mails.h"
#include "services/user/read_token.h"
#include "services/user/text.h"

typedef struct StartBody {
    const char *email;
} StartBody;

static const JsonField start_fields[] = {
    {"email", JSON_FIELD_STR, offsetof(StartBody, email), true, .max = EMAIL_LEN_MAX + 2},
    {0},
};

static UserFailure start(UserCall *call, json_t **ret_body) {
    StartBody body;
    UserFailure failure = user_call_read(call, start_fields, &body);
    const char *email;

    if (failure != USER_FAILURE_NONE ||
        (failure = mail_start_address(call, body.email, &email)) != USER_FAILURE_NONE ||
        (failure = attempts_take_mail(call, email)) != USER_FAILURE_NONE) {
        return failure;
    }
    if (mails_email_change(call->service, &call->session.user_id, email) != 0) {
        call->retry_after_s = 5;
        return USER_FAILURE_UNAVAILABLE;
    }
    call->status = 202;
    *ret_body = json_pack("{s:s}", "message", "A mail is on its way to the new address.");
    return USER_FAILURE_NONE;
}

void me_email_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, start);
}

typedef struct CompleteBody {
    const char *token;
} CompleteBody;

static const JsonField complete_fields[] = {
    {"token", JSON_FIELD_STR, offsetof(CompleteBody, token), true, .max = 100},
    {0},
};

typedef struct Move {
    UserCall *call;
    Str token;
    const char *old_email;
} Move;

static int move(DbTx *tx, void *userdata) {
    Move *moved = userdata;
    UserCall *call = moved->call;
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "email.changed", NULL);
    _cleanup_(account_done) Account account = {0};
    MailToken token;
    int r = mail_token_store_take(tx, MAIL_TOKEN_EMAIL_CHANGE, moved->token, call->now_us,
                                  call->arena, &token);

    if (r == 0) {
        r = account_store_get(tx, vault, &token.user_id, call->arena, &account);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : MAIL_TOKEN_E_NONE;
    }
    moved->old_email = account.email;
    call->whose = token.user_id;
    account.email = token.email;
    r = account_store_put(tx, vault, call->arena, &account);
    if (r == ACCOUNT_E_EXISTS) {
        return MAIL_TOKEN_E_NONE; /* somebody else has proved the address meanwhile */
    }
    if (r != 0 || (r = mail_token_store_remove_all(tx, &token.user_id)) != 0 ||
        (r = audit_append(tx, vault, &account.key, call->now_us, call->arena, &event)) != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return 0;
}

static UserFailure complete(UserCall *call, json_t **ret_body) {
    Move moved = {.call = call};
    CompleteBody body;
    UserFailure failure = user_call_read(call, complete_fields, &body);
    int r;

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    moved.token = str_from(body.token);
    r = db_write(call->service->options.db, move, &moved, read_token_noted(call));
    if (r > 0) {
        return mail_link_stale(call);
    }
    if (r < 0) {
        return user_call_fault(call, r);
    }
    mails_notice(call->service, MAIL_NOTICE_EMAIL_CHANGED, moved.old_email);
    return USER_FAILURE_NONE;
}

void email_complete_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, complete);
}
