/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A new password, by a link that is sent to the address of the account. It ends all sessions and
 * makes other links useless, but does not sign in: a second factor is still asked for.
 */

#include "base/error.h"
#include "services/user/account_store.h"
#include "services/user/attempts.h"
#include "services/user/mail_start.h"
#include "services/user/mail_token_store.h"
#include "services/user/mails.h"
#include "services/user/passwords.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"

static UserFailure start(UserCall *call, json_t **ret_body) {
    return mail_start(call, mails_password_reset, ret_body);
}

void reset_start_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, start);
}

typedef struct CompleteBody {
    const char *token, *password;
} CompleteBody;

static const JsonField complete_fields[] = {
    {"token", JSON_FIELD_STR, offsetof(CompleteBody, token), true, .max = 100},
    {"password", JSON_FIELD_STR, offsetof(CompleteBody, password), true, .max = PASSWORD_BYTES_MAX},
    {0},
};

typedef struct Reset {
    UserCall *call;
    Str token;
    const char *phc;
    const char *email;
    Uuid *ended;
    size_t n_ended;
} Reset;

static int peek(DbTx *tx, void *userdata) {
    Reset *reset = userdata;

    return mail_token_store_peek(tx, MAIL_TOKEN_PASSWORD_RESET, reset->token, reset->call->now_us,
                                 reset->call->arena);
}

static int set_password(DbTx *tx, void *userdata) {
    Reset *reset = userdata;
    UserCall *call = reset->call;
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "password.reset", NULL);
    _cleanup_(account_done) Account account = {0};
    MailToken token;
    int r = mail_token_store_take(tx, MAIL_TOKEN_PASSWORD_RESET, reset->token, call->now_us,
                                  call->arena, &token);

    if (r == 0) {
        r = account_store_get(tx, vault, &token.user_id, call->arena, &account);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : MAIL_TOKEN_E_NONE;
    }
    account.password = reset->phc;
    if ((r = account_store_put(tx, vault, call->arena, &account)) != 0 ||
        (r = mail_token_store_remove_all(tx, &token.user_id)) != 0 ||
        (r = session_store_remove_all(tx, &token.user_id, NULL, call->arena, &reset->ended,
                                      &reset->n_ended)) != 0 ||
        (r = audit_append(tx, vault, &account.key, call->now_us, call->arena, &event)) != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    reset->email = account.email;
    call->whose = token.user_id;
    return 0;
}

static UserFailure complete(UserCall *call, json_t **ret_body) {
    Reset reset = {.call = call};
    CompleteBody body;
    UserFailure failure = user_call_read(call, complete_fields, &body);
    int r;

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE ||
        (failure = passwords_check(call, body.password, NULL)) != USER_FAILURE_NONE) {
        return failure;
    }
    reset.token = str_from(body.token);
    r = db_read(call->service->options.db, NULL, peek, &reset);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    failure = passwords_hash(call, body.password, &reset.phc);
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, set_password, &reset, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : mail_link_stale(call);
    }
    sessions_forget(call, reset.ended, reset.n_ended);
    attempts_succeeded(call, reset.email); /* and so is not kept waiting by strangers */
    mails_notice(call->service, MAIL_NOTICE_PASSWORD_CHANGED, reset.email);
    return USER_FAILURE_NONE;
}

void reset_complete_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, complete);
}
