/* SPDX-License-Identifier: Apache-2.0 */

/* One's own passkeys: added, seen, named and removed. */

#include "base/crypto/base64url.h"
#include "base/error.h"
#include "services/user/account_store.h"
#include "services/user/mails.h"
#include "services/user/passkey/part.h"
#include "services/user/read_token.h"
#include "services/user/ways.h"

typedef struct Own {
    UserCall *call;
    Account account;
    Passkey *passkeys;
    size_t n;
    Passkey passkey; /* the one that it is about */
    Challenge challenge;
    const char *name;
} Own;

static void own_done(Own *own) {
    account_done(&own->account);
}

/* What binds a challenge to the session that asked for it. */
static Str binding(UserCall *call) {
    return uuid_str(&call->session.session_id);
}

static int load_account(DbTx *tx, Own *own) {
    UserCall *call = own->call;

    account_done(&own->account);
    return account_store_get(tx, call->service->vault, &call->session.user_id, call->arena,
                             &own->account);
}

/* ACCOUNT_E_NONE of a transaction. */
enum {
    OWN_E_GONE = 100,
    OWN_E_LAST
};

static int load(DbTx *tx, void *userdata) {
    Own *own = userdata;
    int r = load_account(tx, own);

    if (r != 0) {
        return r < 0 ? err_trace(r) : OWN_E_GONE;
    }
    r = passkey_store_list(tx, &own->account.key, own->call->arena, &own->passkeys, &own->n);
    return r < 0 ? err_trace(r) : 0;
}

/* What a transaction came to. */
static UserFailure explain(UserCall *call, int r) {
    switch (r) {
    case OWN_E_GONE:
        return USER_FAILURE_SIGNED_OUT;
    case OWN_E_LAST:
        call->detail = "It is the only way into this account: choose a password first.";
        return USER_FAILURE_CONFLICT;
    case PASSKEY_E_NONE:
        return USER_FAILURE_NOT_FOUND;
    case PASSKEY_E_EXISTS:
        call->detail = "This passkey is there already.";
        return USER_FAILURE_CONFLICT;
    case PASSKEY_E_FULL:
        call->detail = "There are too many: remove one that you no longer use.";
        return USER_FAILURE_CONFLICT;
    case PASSKEY_E_SPENT:
        call->detail = "credential: the challenge was used already: ask for new options.";
        return USER_FAILURE_INVALID_FIELD;
    default:
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
}

static UserFailure options(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    int r = db_read(call->service->options.db, NULL, load, &own);

    if (r != 0) {
        return explain(call, r);
    }
    *ret_body =
        passkey_creation_options(call, CHALLENGE_ADD, &call->session.user_id, binding(call),
                                 own.account.email, own.account.profile.name, own.passkeys, own.n);
    return USER_FAILURE_NONE;
}

void passkey_options_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, options);
}

static json_t *passkey_json(const Passkey *passkey) {
    _cleanup_(buf_done) Buf id = BUF_INIT;
    json_t *json;

    base64url_encode(passkey->credential.id, &id);
    json = json_pack("{s:s,s:s,s:I}", "id", buf_cstr(&id), "name", passkey->name, "created",
                     (json_int_t)(passkey->created_us / 1000000));
    if (passkey->used_us > 0) {
        json_object_set_new(json, "used", json_integer(passkey->used_us / 1000000));
    }
    return json;
}

static int insert(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    AuditEvent event = user_call_event(call, "passkey.added", own->passkey.name);
    int r = load_account(tx, own);

    if (r != 0) {
        return r < 0 ? err_trace(r) : OWN_E_GONE;
    }
    if ((r = passkey_store_spend(tx, &call->session.user_id, &own->challenge, call->now_us)) != 0 ||
        (r = passkey_store_add(tx, &own->account.key, call->arena, &own->passkey)) != 0 ||
        (r = audit_append(tx, call->service->vault, &own->account.key, call->now_us, call->arena,
                          &event)) != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    return 0;
}

typedef struct NameBody {
    const char *name;
} NameBody;

static const JsonField add_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(NameBody, name), .max = PASSKEY_NAME_MAX},
    {0},
};

static UserFailure add(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call, .passkey.created_us = call->now_us};
    _cleanup_(json_decrefp) json_t *credential = NULL;
    NameBody body = {0};
    UserFailure failure = user_call_read_with(call, add_fields, &body, "credential", &credential);
    int r;

    if (failure != USER_FAILURE_NONE ||
        (failure = passkey_check_name(call, &body.name)) != USER_FAILURE_NONE ||
        (failure = passkey_created(call, credential, CHALLENGE_ADD, binding(call),
                                   &own.passkey.credential, &own.challenge)) != USER_FAILURE_NONE) {
        return failure;
    }
    own.passkey.name = body.name;
    r = db_write(call->service->options.db, insert, &own, read_token_noted(call));
    if (r != 0) {
        return explain(call, r);
    }
    mails_notice(call->service, MAIL_NOTICE_PASSKEY_ADDED, own.account.email);
    *ret_body = passkey_json(&own.passkey);
    call->status = 201;
    return USER_FAILURE_NONE;
}

void passkey_add_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, add);
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    int r = db_read(call->service->options.db, read_token_after(call), load, &own);

    if (r != 0) {
        return explain(call, r);
    }
    *ret_body = json_pack("{s:[]}", "passkeys");
    for (size_t i = 0; i < own.n; i++) {
        json_array_append_new(json_object_get(*ret_body, "passkeys"),
                              passkey_json(&own.passkeys[i]));
    }
    return USER_FAILURE_NONE;
}

void passkey_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

/* The one that the path names, by the id that its authenticator gave it. */
static bool read_id(UserCall *call, Str *ret_id) {
    Str text = str_from(http_request_param(call->request, "id"));

    return base64url_decode(text, call->arena, ret_id) == 0 && ret_id->len > 0 &&
           ret_id->len <= WEBAUTHN_CREDENTIAL_ID_MAX;
}

static int give_name(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    Passkey passkey;
    int r = load_account(tx, own);

    if (r != 0) {
        return r < 0 ? err_trace(r) : OWN_E_GONE;
    }
    r = passkey_store_get(tx, &own->account.key, own->passkey.credential.id, call->arena, &passkey);
    if (r == 0) {
        passkey.name = own->name;
        r = passkey_store_rename(tx, &own->account.key, call->arena, &passkey);
    }
    return r < 0 ? err_trace(r) : r;
}

static const JsonField rename_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(NameBody, name), true, .max = PASSKEY_NAME_MAX},
    {0},
};

static UserFailure rename_passkey(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    NameBody body;
    UserFailure failure = user_call_read(call, rename_fields, &body);
    int r;

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE ||
        (failure = passkey_check_name(call, &body.name)) != USER_FAILURE_NONE) {
        return failure;
    }
    if (!read_id(call, &own.passkey.credential.id)) {
        return USER_FAILURE_NOT_FOUND;
    }
    own.name = body.name;
    r = db_write(call->service->options.db, give_name, &own, read_token_noted(call));
    return r == 0 ? USER_FAILURE_NONE : explain(call, r);
}

void passkey_rename_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SESSION, rename_passkey);
}

static int take_out(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    Str id = own->passkey.credential.id;
    AuditEvent event;
    Passkey passkey;
    size_t n_ways;
    int r = load(tx, own);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = passkey_store_get(tx, &own->account.key, id, call->arena, &passkey);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = ways_count(tx, call, &own->account, &n_ways);
    if (r < 0) {
        return err_trace(r);
    }
    if (n_ways == 1) {
        return OWN_E_LAST;
    }
    event = user_call_event(call, "passkey.removed", passkey.name);
    if ((r = passkey_store_remove(tx, &call->session.user_id, id)) != 0 ||
        (r = audit_append(tx, call->service->vault, &own->account.key, call->now_us, call->arena,
                          &event)) != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    return 0;
}

static UserFailure take_away(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    int r;

    *ret_body = NULL;
    if (!read_id(call, &own.passkey.credential.id)) {
        return USER_FAILURE_NOT_FOUND;
    }
    r = db_write(call->service->options.db, take_out, &own, read_token_noted(call));
    if (r != 0) {
        return explain(call, r);
    }
    mails_notice(call->service, MAIL_NOTICE_PASSKEY_REMOVED, own.account.email);
    return USER_FAILURE_NONE;
}

void passkey_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, take_away);
}
