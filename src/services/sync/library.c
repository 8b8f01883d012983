/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/library: how far the caller's library goes. */

#include "base/error.h"
#include "core/events/event_log.h"
#include "services/sync/call.h"

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    char user[UUID_TEXT_SIZE];
    EventHead head;
    int r = event_log_head(tx, &call->caller.user_id, SYNC_TOPIC, call->arena, &head);

    (void)userdata;
    if (r < 0) {
        return err_trace(r);
    }
    uuid_text(&call->caller.user_id, user);
    call->body = json_pack("{s:s,s:I,s:I}", "user", user, "seq", (json_int_t)head.seq, "horizon",
                           (json_int_t)head.horizon);
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

static SyncFailure get(SyncCall *call) {
    return sync_call_look(call, look, NULL);
}

void library_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get);
}
