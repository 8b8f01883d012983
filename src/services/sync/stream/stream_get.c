/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/changes/stream. */

#include "base/error.h"
#include "core/events/event_log.h"
#include "services/sync/change.h"
#include "services/sync/cursor.h"
#include "services/sync/stream/streams.h"

/* What EventSource sends when it comes back; else ?since=; else from now on, which is -1. */
static SyncFailure read_since(SyncCall *call, LogCursor *ret_since) {
    const char *last = http_request_header(call->request, "Last-Event-ID");
    SyncFailure failure;

    if (last && last[0] != '\0') {
        if (log_cursor_parse(call->service, str_from(last), ret_since) < 0) {
            call->detail = "Last-Event-ID: give the id of an event of this stream.";
            return SYNC_FAILURE_INVALID_FIELD;
        }
        return SYNC_FAILURE_NONE;
    }
    failure = log_cursor_of_query(call, ret_since);
    if (!http_request_query(call->request, "since")) {
        ret_since->seq = -1;
    }
    return failure;
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    LogCursor *since = userdata;
    EventHead head;
    int r = event_log_head(tx, &call->caller.user_id, SYNC_TOPIC, call->arena, &head);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_failure = SYNC_FAILURE_NONE;
    if (since->seq < 0) {
        since->seq = head.seq;
    } else if (since->elsewhere || since->seq < head.horizon || since->seq > head.seq) {
        *ret_failure =
            cursor_too_old(call, head.horizon, since->elsewhere || since->seq > head.seq);
    }
    return 0;
}

void changes_stream_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    _cleanup_(sync_call_done) SyncCall call;
    LogCursor since = {0};
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
    change_streams_add(service->streams, request, &call.caller.user_id, call.credential, since.seq);
}
