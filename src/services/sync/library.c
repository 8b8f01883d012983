/* SPDX-License-Identifier: Apache-2.0 */

/* GET and PUT /v1/library: how far the caller's library goes, and what its owner wants of it. */

#include "base/error.h"
#include "core/events/event_log.h"
#include "services/sync/change.h"
#include "services/sync/photo/photo_learn.h"

static int tell(DbTx *tx, SyncCall *call) {
    Library library = library_of_call(call);
    char user[UUID_TEXT_SIZE];
    EventHead head;
    bool keeps;
    int r = event_log_head(tx, &call->caller.user_id, SYNC_TOPIC, call->arena, &head);

    if (r == 0) {
        r = library_keeps_places(tx, &library, &keeps);
    }
    if (r < 0) {
        return err_trace(r);
    }
    uuid_text(&call->caller.user_id, user);
    call->body = json_pack("{s:s,s:I,s:I,s:b}", "user", user, "seq", (json_int_t)head.seq,
                           "horizon", (json_int_t)head.horizon, "keep_places", keeps);
    return 0;
}

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    (void)userdata;
    *ret_failure = SYNC_FAILURE_NONE;
    return err_trace(tell(tx, call));
}

static SyncFailure get(SyncCall *call) {
    return sync_call_look(call, look, NULL);
}

void library_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get);
}

typedef struct Wish {
    bool keep_places;
} Wish;

static const JsonField wish_fields[] = {
    {"keep_places", JSON_FIELD_BOOL, offsetof(Wish, keep_places), true},
    {0},
};

static int write_wish(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Wish *wish = userdata;
    Library library = library_of_call(call);
    int r = library_keep_places(tx, &library, wish->keep_places);

    *ret_failure = SYNC_FAILURE_NONE;
    return r < 0 ? err_trace(r) : err_trace(tell(tx, call));
}

static SyncFailure put(SyncCall *call) {
    Wish wish = {0};
    SyncFailure failure = sync_call_read(call, wish_fields, &wish);

    return failure == SYNC_FAILURE_NONE ? sync_call_write(call, write_wish, &wish) : failure;
}

void library_put_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, put);
}
