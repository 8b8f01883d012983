/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/consent.h"

#include "base/error.h"

static UserFailure refuse(UserCall *call, const char *text) {
    call->detail = text;
    return USER_FAILURE_INVALID_FIELD;
}

void consent_agree(Agreed *agreed, const Agreement *agreement) {
    for (size_t i = 0; i < agreed->n; i++) {
        if (agreed->agreements[i] == agreement) {
            return;
        }
    }
    agreed->agreements[agreed->n++] = agreement;
}

const Agreement *consent_missing(const UserService *service, const Agreed *agreed) {
    const Agreements *all = service->agreements;

    for (size_t i = 0; i < all->n; i++) {
        bool found = !all->agreements[i].required;
        for (size_t j = 0; j < agreed->n && !found; j++) {
            found = agreed->agreements[j] == &all->agreements[i];
        }
        if (!found) {
            return &all->agreements[i];
        }
    }
    return NULL;
}

static UserFailure read_one(UserCall *call, const json_t *json, Agreed *agreed) {
    const char *id, *version;
    const Agreement *agreement;

    if (json_unpack_ex((json_t *)json, NULL, JSON_STRICT, "{s:s,s:s}", "id", &id, "version",
                       &version) < 0) {
        return refuse(call, "agreements: a list of {\"id\", \"version\"}.");
    }
    agreement = agreements_find(call->service->agreements, id);
    if (!agreement) {
        return refuse(call, "agreements: names a document that GET /v1/agreements does not.");
    }
    if (strcmp(agreement->version, version) != 0) {
        return refuse(call, arena_printf(call->arena, "agreements: %s is of version %s now.",
                                         agreement->id, agreement->version));
    }
    consent_agree(agreed, agreement);
    return USER_FAILURE_NONE;
}

UserFailure consent_read(UserCall *call, const json_t *json, Agreed *ret_agreed) {
    Agreed agreed = {.n = 0};
    const Agreement *missing;

    if (json && !json_is_array(json)) {
        return refuse(call, "agreements: a list of {\"id\", \"version\"}.");
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        UserFailure failure = read_one(call, json_array_get(json, i), &agreed);
        if (failure != USER_FAILURE_NONE) {
            return failure;
        }
    }
    missing = consent_missing(call->service, &agreed);
    if (missing) {
        return refuse(call, arena_printf(call->arena,
                                         "agreements: %s (\"%s\", version %s) has to be agreed to.",
                                         missing->id, missing->title, missing->version));
    }
    *ret_agreed = agreed;
    return USER_FAILURE_NONE;
}

int consent_keep(DbTx *tx, UserCall *call, const UserKey *key, const Agreed *agreed) {
    SessionDevice device = user_call_device(call, "");
    int r = 0;

    for (size_t i = 0; i < agreed->n && r == 0; i++) {
        const Consent consent = {.document = agreed->agreements[i]->id,
                                 .version = agreed->agreements[i]->version,
                                 .given = true,
                                 .at_us = call->now_us,
                                 .address = device.address,
                                 .agent = device.agent};
        r = agreement_store_add(tx, key, call->arena, &consent);
    }
    return err_trace(r);
}

/* Whether its present version holds. */
static int is_agreed(DbTx *tx, const Uuid *user_id, const Agreement *agreement, Arena *arena,
                     bool *ret_agreed) {
    Consent consent;
    int r = agreement_store_newest(tx, user_id, agreement->id, arena, &consent);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_agreed = r == 0 && consent.given && strcmp(consent.version, agreement->version) == 0;
    return 0;
}

int consent_due(DbTx *tx, const UserService *service, const Uuid *user_id, Arena *arena,
                json_t **ret_due) {
    _cleanup_(json_decrefp) json_t *due = json_array();

    for (size_t i = 0; i < service->agreements->n; i++) {
        const Agreement *agreement = &service->agreements->agreements[i];
        bool agreed = true;
        int r = agreement->required ? is_agreed(tx, user_id, agreement, arena, &agreed) : 0;
        if (r < 0) {
            return err_trace(r);
        }
        if (!agreed) {
            json_array_append_new(due, json_pack("{s:s,s:s,s:s,s:s}", "id", agreement->id,
                                                 "version", agreement->version, "title",
                                                 agreement->title, "url", agreement->url));
        }
    }
    *ret_due = TAKE_PTR(due);
    return 0;
}
