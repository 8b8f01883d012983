/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/change.h"

#include "base/error.h"

Library library_of_call(SyncCall *call) {
    return (Library){.key = &call->key,
                     .device_id = call->caller.device_id,
                     .now_us = call->now_us,
                     .arena = call->arena};
}

static void tell_both(SyncCall *call, const char *kind, const Object *object, const json_t *sent) {
    json_decref(call->problem);
    call->problem = json_pack("{s:o}", "current", object_json(kind, object));
    if (sent) {
        json_object_set(call->problem, "sent", (json_t *)sent);
    }
    call->detail = object->state ? "It was changed in the meantime: see current, and try again "
                                   "with its version in If-Match."
                                 : "It was removed in the meantime.";
}

int change_begin(DbTx *tx, SyncCall *call, const char *kind, const Uuid *id, int64_t version,
                 const json_t *sent, Object *ret_object, SyncFailure *ret_failure) {
    _cleanup_(object_done) Object object = {0};
    Library library = library_of_call(call);
    int r = object_get(tx, &library, kind, id, &object);

    if (r < 0) {
        return err_trace(r);
    }
    if (r == OBJECT_E_NONE || (r == OBJECT_E_REMOVED && version == CHANGE_ANY_VERSION)) {
        *ret_failure = SYNC_FAILURE_NOT_FOUND;
        return 0;
    }
    if (r == OBJECT_E_REMOVED || (version != CHANGE_ANY_VERSION && version != object.version)) {
        tell_both(call, kind, &object, sent);
        *ret_failure = SYNC_FAILURE_STALE_VERSION;
        return 0;
    }
    *ret_object = object;
    object.state = NULL;
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

void change_answer(SyncCall *call, const char *kind, const Object *object, unsigned status) {
    json_decref(call->body);
    call->body = object_json(kind, object);
    call->version = object->version;
    call->status = status;
}

SyncFailure change_new_id(SyncCall *call, const char *text, Uuid *ret_id) {
    if (!text) {
        *ret_id = uuid_new();
        return SYNC_FAILURE_NONE;
    }
    if (uuid_parse(str_from(text), ret_id) < 0) {
        call->detail = "id: give a new UUID of version 7, or none.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return SYNC_FAILURE_NONE;
}

int change_is_new(DbTx *tx, SyncCall *call, const char *kind, const Uuid *id,
                  SyncFailure *ret_failure) {
    _cleanup_(object_done) Object object = {0};
    Library library = library_of_call(call);
    int r = object_get(tx, &library, kind, id, &object);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_failure = SYNC_FAILURE_NONE;
    if (r != OBJECT_E_NONE) {
        call->detail = "id: it is, or was, another's.";
        *ret_failure = SYNC_FAILURE_CONFLICT;
    }
    return 0;
}

int64_t change_if_match(SyncCall *call) {
    int64_t version = 0; /* of no object */
    int r = if_match_version(call->request, &version);

    return r == IF_MATCH_E_ABSENT ? CHANGE_ANY_VERSION : r == 0 ? version : 0;
}

SyncFailure change_query_number(SyncCall *call, const char *name, uint64_t min, uint64_t max,
                                uint64_t fallback, uint64_t *ret_value) {
    const char *text = http_request_query(call->request, name);

    *ret_value = fallback;
    if (text &&
        (str_to_u64(str_from(text), ret_value) < 0 || *ret_value < min || *ret_value > max)) {
        call->detail = arena_printf(call->arena, "%s: give a whole number from %llu to %llu.", name,
                                    (unsigned long long)min, (unsigned long long)max);
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return SYNC_FAILURE_NONE;
}
