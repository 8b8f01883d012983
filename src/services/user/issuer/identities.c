/* SPDX-License-Identifier: Apache-2.0 */

/* Which issuers there are, and one's own identities at them. */

#include "base/error.h"
#include "services/user/issuer/visit.h"
#include "services/user/mails.h"
#include "services/user/read_token.h"
#include "services/user/ways.h"

static json_t *issuers_json(const Issuers *issuers) {
    json_t *array = json_array();

    for (size_t i = 0; i < issuers->n_issuers; i++) {
        json_array_append_new(array, json_pack("{s:s,s:s}", "name", issuers->issuers[i].name,
                                               "title", issuers->issuers[i].title));
    }
    return array;
}

static UserFailure list_issuers(UserCall *call, json_t **ret_body) {
    *ret_body = json_pack("{s:o}", "issuers", issuers_json(call->service->issuer->issuers));
    return USER_FAILURE_NONE;
}

void issuer_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, list_issuers);
}

typedef struct Own {
    UserCall *call;
    Uuid identity_id;
    Identity *identities;
    size_t n_identities;
    const char *email;
} Own;

enum {
    OWN_E_GONE = 1,
    OWN_E_NONE, /* no such identity */
    OWN_E_LAST, /* nothing else lets its owner in */
};

static int load(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : OWN_E_GONE;
    }
    r = identity_store_list(tx, &account.key, call->arena, &own->identities, &own->n_identities);
    return r < 0 ? err_trace(r) : 0;
}

static json_t *identity_json(UserCall *call, const Identity *identity) {
    const Issuer *issuer =
        issuers_find_url(call->service->issuer->issuers, str_from(identity->issuer));
    char id[UUID_TEXT_SIZE];

    uuid_text(&identity->identity_id, id);
    return json_pack("{s:s,s:s*,s:s,s:s,s:I,s:I}", "id", id, "issuer", issuer ? issuer->name : NULL,
                     "title", issuer ? issuer->title : identity->issuer, "email", identity->email,
                     "created", (json_int_t)(identity->created_us / 1000000), "used",
                     (json_int_t)(identity->used_us / 1000000));
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    Own own = {.call = call};
    int r = db_read(call->service->options.db, read_token_after(call), load, &own);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    *ret_body = json_pack("{s:[]}", "identities");
    for (size_t i = 0; i < own.n_identities; i++) {
        json_array_append_new(json_object_get(*ret_body, "identities"),
                              identity_json(call, &own.identities[i]));
    }
    return USER_FAILURE_NONE;
}

void identity_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

static const Identity *find(const Own *own) {
    for (size_t i = 0; i < own->n_identities; i++) {
        if (uuid_equal(&own->identities[i].identity_id, &own->identity_id)) {
            return &own->identities[i];
        }
    }
    return NULL;
}

static int take_away(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    const Vault *vault = call->service->vault;
    AuditEvent event = user_call_event(call, "identity.removed", NULL);
    _cleanup_(account_done) Account account = {0};
    const Identity *identity;
    const Issuer *issuer;
    size_t n_ways;
    int r = account_store_get(tx, vault, &call->session.user_id, call->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : OWN_E_GONE;
    }
    r = identity_store_list(tx, &account.key, call->arena, &own->identities, &own->n_identities);
    if (r < 0) {
        return err_trace(r);
    }
    identity = find(own);
    if (!identity) {
        return OWN_E_NONE;
    }
    r = ways_count(tx, call, &account, &n_ways);
    if (r < 0) {
        return err_trace(r);
    }
    if (n_ways == 1 && issuer_is_configured(call->service, identity->issuer)) {
        return OWN_E_LAST;
    }
    issuer = issuers_find_url(call->service->issuer->issuers, str_from(identity->issuer));
    event.subject = issuer ? issuer->title : identity->issuer;
    own->email = account.email;
    r = identity_store_remove(tx, &account.key.user_id, &own->identity_id);
    if (r == 0) {
        r = audit_append(tx, vault, &account.key, call->now_us, call->arena, &event);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static UserFailure remove_one(UserCall *call, json_t **ret_body) {
    Own own = {.call = call};
    int r;

    *ret_body = NULL;
    if (uuid_parse(str_from(http_request_param(call->request, "id")), &own.identity_id) < 0) {
        return USER_FAILURE_NOT_FOUND;
    }
    r = db_write(call->service->options.db, take_away, &own, read_token_noted(call));
    switch (r) {
    case 0:
        mails_notice(call->service, MAIL_NOTICE_IDENTITY_REMOVED, own.email);
        return USER_FAILURE_NONE;
    case OWN_E_NONE:
        return USER_FAILURE_NOT_FOUND;
    case OWN_E_LAST:
        call->detail =
            "It is the last way to sign in to this account: choose a password or add a passkey "
            "first.";
        return USER_FAILURE_CONFLICT;
    case OWN_E_GONE:
        return USER_FAILURE_SIGNED_OUT;
    default:
        return user_call_fault(call, r < 0 ? r : -EIO);
    }
}

void identity_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, remove_one);
}
