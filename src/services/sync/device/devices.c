/* SPDX-License-Identifier: Apache-2.0 */

/* /v1/devices: how far each of a user's devices has come. */

#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/device/device_cursors.h"

typedef struct CursorBody {
    uint64_t seq;
    const char *name;
} CursorBody;

static const JsonField cursor_fields[] = {
    {"seq", JSON_FIELD_U64, offsetof(CursorBody, seq), .required = true},
    {"name", JSON_FIELD_STR, offsetof(CursorBody, name), .max = DEVICE_NAME_MAX},
    {0},
};

static int put(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const CursorBody *body = userdata;
    Library library = library_of_call(call);
    EventHead head;
    int r = event_log_head(tx, &call->caller.user_id, SYNC_TOPIC, call->arena, &head);

    if (r < 0) {
        return err_trace(r);
    }
    if (body->seq > (uint64_t)head.seq) {
        call->detail = "seq: the log does not go so far.";
        *ret_failure = SYNC_FAILURE_INVALID_FIELD;
        return 0;
    }
    *ret_failure = SYNC_FAILURE_NONE;
    return err_trace(device_cursor_put(tx, &library,
                                       &(Device){.id = call->caller.device_id,
                                                 .seq = (int64_t)body->seq,
                                                 .seen_us = call->now_us,
                                                 .name = body->name ? body->name : ""}));
}

static SyncFailure cursor_put(SyncCall *call) {
    CursorBody body = {0};
    SyncFailure failure = sync_call_read(call, cursor_fields, &body);

    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, put, &body) : failure;
}

static int list(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Library library = library_of_call(call);
    json_t *devices;
    Device *found;
    size_t n;
    int r = device_cursor_list(tx, &library, &found, &n);

    (void)userdata;
    if (r < 0) {
        return err_trace(r);
    }
    devices = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *device = device_json(&found[i]);
        json_object_set_new(device, "current",
                            json_boolean(uuid_equal(&found[i].id, &call->caller.device_id)));
        json_array_append_new(devices, device);
    }
    call->body = json_pack("{s:o}", "devices", devices);
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

static SyncFailure device_list(SyncCall *call) {
    return sync_call_look(call, list, NULL);
}

void device_cursor_put_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, cursor_put);
}

void device_list_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, device_list);
}
