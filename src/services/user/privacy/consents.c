/* SPDX-License-Identifier: Apache-2.0 */

/* Which documents there are, and one's own agreement to them. */

#include "base/error.h"
#include "services/user/account_store.h"
#include "services/user/privacy/consent.h"
#include "services/user/read_token.h"

typedef struct Own {
    UserCall *call;
    const Agreement *agreement; /* the one that is agreed to, or not any more */
    const char *version;
    bool given;
    Consent newest[AGREEMENTS_MAX]; /* by the order of the configuration; document NULL: none */
} Own;

enum {
    OWN_E_GONE = 1,
    OWN_E_VERSION, /* what is taken back is of another version */
};

static json_t *agreement_json(const Agreement *agreement) {
    return json_pack("{s:s,s:s,s:s,s:s,s:b}", "id", agreement->id, "version", agreement->version,
                     "title", agreement->title, "url", agreement->url, "required",
                     agreement->required);
}

static UserFailure list_agreements(UserCall *call, json_t **ret_body) {
    const Agreements *all = call->service->agreements;
    json_t *array = json_array();

    for (size_t i = 0; i < all->n; i++) {
        json_array_append_new(array, agreement_json(&all->agreements[i]));
    }
    *ret_body = json_pack("{s:o}", "agreements", array);
    return USER_FAILURE_NONE;
}

void agreement_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_ANYONE, list_agreements);
}

/* A document, and what its owner has said to it last. */
static json_t *consent_json(const Agreement *agreement, const Consent *consent) {
    json_t *json = agreement_json(agreement);
    bool given = consent->document && consent->given;

    json_object_set_new(json, "given", json_boolean(given));
    if (consent->document) {
        json_object_set_new(json, "at", json_integer(consent->at_us / 1000000));
    }
    if (given) {
        json_object_set_new(json, "given_version", json_string(consent->version));
    }
    return json;
}

static int load(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    const Agreements *all = call->service->agreements;

    for (size_t i = 0; i < all->n; i++) {
        int r = agreement_store_newest(tx, &call->session.user_id, all->agreements[i].id,
                                       call->arena, &own->newest[i]);
        if (r < 0) {
            return err_trace(r);
        }
        if (r > 0) {
            own->newest[i] = (Consent){0};
        }
    }
    return 0;
}

static UserFailure list(UserCall *call, json_t **ret_body) {
    const Agreements *all = call->service->agreements;
    Own own = {.call = call};
    json_t *array;
    int r = db_read(call->service->options.db, read_token_after(call), load, &own);

    if (r < 0) {
        return user_call_fault(call, r);
    }
    array = json_array();
    for (size_t i = 0; i < all->n; i++) {
        json_array_append_new(array, consent_json(&all->agreements[i], &own.newest[i]));
    }
    *ret_body = json_pack("{s:o}", "consents", array);
    return USER_FAILURE_NONE;
}

void consent_list_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, list);
}

static size_t place_of(const Own *own) {
    return (size_t)(own->agreement - own->call->service->agreements->agreements);
}

/* A row when that changes what holds. */
static int change(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    SessionDevice device = user_call_device(call, "");
    _cleanup_(account_done) Account account = {0};
    const Consent consent = {.document = own->agreement->id,
                             .version = own->version,
                             .given = own->given,
                             .at_us = call->now_us,
                             .address = device.address,
                             .agent = device.agent};
    const Consent *newest = &own->newest[place_of(own)];
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    if (r == 0) {
        r = load(tx, own);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : OWN_E_GONE;
    }
    if (!own->given) {
        if (!newest->document || !newest->given) {
            return 0;
        }
        if (strcmp(newest->version, own->version) != 0) {
            return OWN_E_VERSION;
        }
    } else if (newest->document && newest->given && strcmp(newest->version, own->version) == 0) {
        return 0;
    }
    r = agreement_store_add(tx, &account.key, call->arena, &consent);
    return r < 0 ? err_trace(r) : load(tx, own);
}

typedef struct ConsentBody {
    const char *version;
    bool given;
} ConsentBody;

static const JsonField consent_fields[] = {
    {"version", JSON_FIELD_STR, offsetof(ConsentBody, version), true,
     .max = AGREEMENT_VERSION_LEN_MAX},
    {"given", JSON_FIELD_BOOL, offsetof(ConsentBody, given), true},
    {0},
};

static UserFailure refuse_version(UserCall *call, const char *version) {
    call->detail = arena_printf(call->arena, "version: it is %s.", version);
    return USER_FAILURE_INVALID_FIELD;
}

static UserFailure put(UserCall *call, json_t **ret_body) {
    const char *id = http_request_param(call->request, "id");
    Own own = {.call = call, .agreement = agreements_find(call->service->agreements, id)};
    ConsentBody body;
    UserFailure failure = user_call_read(call, consent_fields, &body);
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (!own.agreement) {
        return USER_FAILURE_NOT_FOUND;
    }
    if (body.given && strcmp(body.version, own.agreement->version) != 0) {
        return refuse_version(call, own.agreement->version);
    }
    if (!body.given && own.agreement->required) {
        call->detail = "Nobody has an account without it: to take it back, delete the account.";
        return USER_FAILURE_CONFLICT;
    }
    own.version = body.version;
    own.given = body.given;
    r = db_write(call->service->options.db, change, &own, read_token_noted(call));
    if (r == OWN_E_VERSION) {
        return refuse_version(call, own.newest[place_of(&own)].version);
    }
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    *ret_body = consent_json(own.agreement, &own.newest[place_of(&own)]);
    return USER_FAILURE_NONE;
}

void consent_put_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SESSION, put);
}
