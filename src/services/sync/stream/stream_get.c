/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/changes/stream. */

#include "base/error.h"
#include "core/events/event_log.h"
#include "services/sync/change.h"
#include "services/sync/cursor.h"
#include "services/sync/stream/streams.h"

/* What EventSource sends when it comes back; else ?since=; else from now on, which is -1. */
static SyncFailure read_since(SyncCall *call, int64_t *ret_since) {
    const char *last = http_request_header(call->request, "Last-Event-ID");
    uint64_t since = 0;
    SyncFailure failure;

    if (last && last[0] != '\0') {
        if (str_to_u64(str_from(last), &since) < 0 || since > INT64_MAX) {
            call->detail = "Last-Event-ID: give the id of an event of this stream.";
            return SYNC_FAILURE_INVALID_FIELD;
        }
        *ret_since = (int64_t)since;
        return SYNC_FAILURE_NONE;
    }
    failure = change_query_number(call, "since", 0, INT64_MAX, 0, &since);
    *ret_since = http_request_query(call->request, "since") ? (int64_t)since : -1;
    return failure;
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    int64_t *since = userdata;
    EventHead head;
    int r = event_log_head(tx, &call->caller.user_id, SYNC_TOPIC, call->arena, &head);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_failure = SYNC_FAILURE_NONE;
    if (*since < 0) {
        *since = head.seq;
    } else if (*since < head.horizon || *since > head.seq) {
        *ret_failure = cursor_too_old(call, head.horizon);
    }
    return 0;
}

void changes_stream_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    _cleanup_(sync_call_done) SyncCall call;
    int64_t since = 0;
    SyncFailure failure = sync_call_admit(service, request, &call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = read_since(&call, &since);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_look(&call, look, &since);
    }
    if (failure != SYNC_FAILURE_NONE) {
        sync_call_respond(&call, failure);
        return;
    }
    change_streams_add(service->streams, request, &call.caller.user_id, call.credential, since);
}
