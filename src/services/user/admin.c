/* SPDX-License-Identifier: Apache-2.0 */

/* What support sees of others' accounts, and admins do to them. */

#include "base/error.h"
#include "services/user/access.h"
#include "services/user/account_json.h"
#include "services/user/acts.h"
#include "services/user/read_token.h"
#include "services/user/roles.h"
#include "services/user/sessions.h"
#include "services/user/text.h"

#include <math.h>

#define REASON_MAX 200

typedef struct Subject {
    UserCall *call;
    uint8_t email_hash[VAULT_HASH_LEN];
    bool by_email;
    Uuid user_id;
    Account account;
    CreditState credits;
} Subject;

static void subject_done(Subject *subject) {
    account_done(&subject->account);
}

static int load(DbTx *tx, void *userdata) {
    Subject *subject = userdata;
    UserCall *call = subject->call;
    const Vault *vault = call->service->vault;
    int r;

    account_done(&subject->account);
    r = subject->by_email
            ? account_store_find(tx, vault, subject->email_hash, call->arena, &subject->account)
            : account_store_get(tx, vault, &subject->user_id, call->arena, &subject->account);
    if (r == 0) {
        r = credit_store_get(tx, &subject->account.key.user_id, call->now_us, call->arena,
                             &subject->credits);
    }
    return r < 0 ? err_trace(r) : r;
}

static json_t *subject_json(const Subject *subject) {
    json_t *json = account_json(&subject->account);

    json_object_set_new(json, "credits",
                        json_pack("{s:f,s:f}", "balance", (double)subject->credits.balance / 100,
                                  "available", (double)subject->credits.available / 100));
    return json;
}

static UserFailure find(UserCall *call, json_t **ret_body) {
    _cleanup_(subject_done) Subject subject = {.call = call, .by_email = true};
    const char *text = http_request_query(call->request, "email"), *email;
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_SUPPORT);
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (!text || email_canonical(str_from(text), call->arena, &email) < 0) {
        call->detail = "email: the whole address of somebody.";
        return USER_FAILURE_INVALID_FIELD;
    }
    vault_hash_email(call->service->vault, str_from(email), subject.email_hash);
    r = db_read(call->service->options.db, NULL, load, &subject);
    if (r < 0) {
        return user_call_fault(call, r);
    }
    *ret_body = json_pack("{s:[]}", "users");
    if (r == 0) {
        json_array_append_new(json_object_get(*ret_body, "users"), subject_json(&subject));
    }
    return USER_FAILURE_NONE;
}

void admin_find_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, find);
}

static UserFailure show_user(UserCall *call, const Uuid *user_id, json_t **ret_body) {
    _cleanup_(subject_done) Subject subject = {.call = call, .user_id = *user_id};
    int r = db_read(call->service->options.db, NULL, load, &subject);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_NOT_FOUND;
    }
    *ret_body = subject_json(&subject);
    return USER_FAILURE_NONE;
}

static UserFailure get(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_SUPPORT);
    Uuid user_id;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (uuid_parse(str_from(http_request_param(call->request, "id")), &user_id) < 0) {
        return USER_FAILURE_NOT_FOUND;
    }
    return show_user(call, &user_id, ret_body);
}

void admin_get_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, get);
}

typedef struct ActWork {
    const Vault *vault;
    Act act;
} ActWork;

static int write_act(DbTx *tx, void *userdata) {
    ActWork *work = userdata;

    return act_do(tx, work->vault, &work->act);
}

static UserFailure explain(UserCall *call, int r) {
    switch (r) {
    case ACT_E_NONE:
        return USER_FAILURE_NOT_FOUND;
    case ACT_E_LITTLE:
        call->detail = "Less than that is left.";
        return USER_FAILURE_CONFLICT;
    case ACT_E_MUCH:
        call->detail = "Nobody can have that many credits.";
        return USER_FAILURE_CONFLICT;
    case ACT_E_ERASING:
        call->detail = "Its owner has asked for the account's erasure.";
        return USER_FAILURE_CONFLICT;
    default:
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
}

/* `act` says what; whom and by whom is filled in here. Answers with the user as it is then. */
static UserFailure act_on(UserCall *call, Act act, json_t **ret_body) {
    ActWork work = {call->service->vault, act};
    char *admin = arena_alloc(call->arena, UUID_TEXT_SIZE);
    char *session = arena_alloc(call->arena, UUID_TEXT_SIZE);
    int r;

    if (uuid_parse(str_from(http_request_param(call->request, "id")), &work.act.user_id) < 0) {
        return USER_FAILURE_NOT_FOUND;
    }
    if (act.kind == ACT_STATUS && uuid_equal(&work.act.user_id, &call->session.user_id)) {
        call->detail = "Nobody locks themselves out.";
        return USER_FAILURE_CONFLICT;
    }
    uuid_text(&call->session.user_id, admin);
    uuid_text(&call->session.session_id, session);
    work.act.by = admin;
    work.act.session = session;
    work.act.now_us = call->now_us;
    work.act.arena = call->arena;
    r = db_write(call->service->options.db, write_act, &work, read_token_noted(call));
    if (r != 0) {
        return explain(call, r);
    }
    call->whose = work.act.user_id;
    sessions_forget(call, work.act.session_ids, work.act.n_sessions);
    user_access_forget(call->service, &work.act.user_id, work.act.key_ids, work.act.n_keys);
    return show_user(call, &work.act.user_id, ret_body);
}

static UserFailure check_reason(UserCall *call, const char *reason) {
    if (!text_is_plain(reason, REASON_MAX)) {
        call->detail = "reason: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    return USER_FAILURE_NONE;
}

typedef struct GrantBody {
    double amount;
    const char *reason;
} GrantBody;

static const JsonField grant_fields[] = {
    {"amount", JSON_FIELD_DOUBLE, offsetof(GrantBody, amount), true, .min = -1e9, .max = 1e9},
    {"reason", JSON_FIELD_STR, offsetof(GrantBody, reason), true, .max = REASON_MAX},
    {0},
};

static UserFailure grant(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    Act act = {.kind = ACT_GRANT};
    GrantBody body;

    if (failure != USER_FAILURE_NONE ||
        (failure = user_call_read(call, grant_fields, &body)) != USER_FAILURE_NONE ||
        (failure = check_reason(call, body.reason)) != USER_FAILURE_NONE) {
        return failure;
    }
    act.amount = (int64_t)llround(body.amount * 100);
    if (act.amount == 0 || fabs(body.amount * 100 - (double)act.amount) > 1e-4) {
        call->detail = "amount: credits with at most two decimals, not 0.";
        return USER_FAILURE_INVALID_FIELD;
    }
    act.reason = body.reason;
    return act_on(call, act, ret_body);
}

void admin_grant_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, grant);
}

typedef struct PatchBody {
    int status;
    const char *reason;
} PatchBody;

/* In the order of AccountStatus: the third is its owner's to ask for. */
static const char *const statuses[] = {"active", "locked", NULL};

static const JsonField patch_fields[] = {
    {"status", JSON_FIELD_ENUM, offsetof(PatchBody, status), true, .names = statuses},
    {"reason", JSON_FIELD_STR, offsetof(PatchBody, reason), .max = REASON_MAX},
    {0},
};

static UserFailure patch(UserCall *call, json_t **ret_body) {
    UserFailure failure = roles_require(call, ACCOUNT_ROLE_ADMIN);
    PatchBody body = {.reason = ""};

    if (failure != USER_FAILURE_NONE ||
        (failure = user_call_read(call, patch_fields, &body)) != USER_FAILURE_NONE ||
        (failure = check_reason(call, body.reason)) != USER_FAILURE_NONE) {
        return failure;
    }
    return act_on(call, (Act){.kind = ACT_STATUS, .value = body.status, .reason = body.reason},
                  ret_body);
}

void admin_patch_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, patch);
}
