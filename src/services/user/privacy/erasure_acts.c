/* SPDX-License-Identifier: Apache-2.0 */

/* Asking for the end of one's account, and the receipt of those that have ended. */

#include "base/crypto/jwk.h"
#include "base/error.h"
#include "services/user/access.h"
#include "services/user/call.h"
#include "services/user/privacy/erasure.h"
#include "services/user/privacy/erasure_mail.h"
#include "services/user/privacy/receipt.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"

#define DAY_US (86400 * 1000000LL)

typedef struct Asking {
    const Vault *vault;
    ErasureRequest request;
} Asking;

static int ask(DbTx *tx, void *userdata) {
    Asking *asking = userdata;

    return erasure_request(tx, asking->vault, &asking->request);
}

static UserFailure remove_me(UserCall *call, json_t **ret_body) {
    UserService *service = call->service;
    int64_t days = (int64_t)service->options.settings->erasure_grace_days;
    Asking asking = {.vault = service->vault,
                     .request = {.user_id = call->session.user_id,
                                 .now_us = call->now_us,
                                 .erase_us = call->now_us + days * DAY_US,
                                 .event = user_call_event(call, NULL, NULL),
                                 .arena = call->arena}};
    ErasureRequest *request = &asking.request;
    int r = db_write(service->options.db, ask, &asking, read_token_noted(call));

    if (r == ERASURE_E_LAST_ADMIN) {
        call->detail = "You are the only admin here: make somebody else one before you go.";
        return USER_FAILURE_CONFLICT;
    }
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    sessions_forget(call, request->session_ids, request->n_sessions);
    user_access_forget(service, &request->user_id, request->key_ids, request->n_keys);
    erasure_mail_asked(service, request);
    if (days == 0) {
        housekeeping_wake(service->housekeeping, ERASURE_CHORE);
    }
    call->set_cookie = user_call_cookie(call, NULL);
    call->status = 202;
    *ret_body = json_pack("{s:I}", "erase", (json_int_t)(request->erase_us / 1000000));
    return USER_FAILURE_NONE;
}

void me_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, remove_me);
}

typedef struct Fetch {
    UserCall *call;
    const char *token;
    Jwk *key;
} Fetch;

static int fetch(DbTx *tx, void *userdata) {
    Fetch *work = userdata;
    UserCall *call = work->call;
    const char *kid;
    int r = receipt_get(tx, str_from(http_request_param(call->request, "id")), call->arena,
                        &work->token);

    work->key = jwk_unref(work->key);
    if (r == 0) {
        r = receipt_kid(str_from(work->token), call->arena, &kid);
    }
    if (r == 0) {
        r = receipt_key(tx, call->service->vault, str_from(kid), call->arena, &work->key);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure get_receipt(UserCall *call, json_t **ret_body) {
    Fetch work = {.call = call};
    int r;

    if (strlen(http_request_param(call->request, "id")) != RECEIPT_ID_LEN) {
        call->detail = "id: of no receipt's form.";
        return USER_FAILURE_INVALID_FIELD;
    }
    r = db_read(call->service->options.db, NULL, fetch, &work);

    if (r == 0) {
        *ret_body = json_pack("{s:s,s:o}", "receipt", work.token, "key", jwk_write(work.key));
    }
    jwk_unref(work.key);
    return r == 0 ? USER_FAILURE_NONE : r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
}

void erasure_receipt_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, get_receipt);
}
