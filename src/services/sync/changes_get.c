/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/changes, and GET /v1/objects for a device that has to read everything anew. */

#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/changes.h"
#include "services/sync/cursor.h"
#include "services/sync/object_list.h"

#define LIMIT_USUAL 500

typedef struct Changes {
    LogCursor since;
    size_t limit;
} Changes;

static int read_changes(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Changes *wanted = userdata;
    Library library = library_of_call(call);
    ChangePage page;
    int r = changes_read(tx, &library, wanted->since.elsewhere ? -1 : wanted->since.seq,
                         wanted->limit, &page);

    if (r < 0) {
        return err_trace(r);
    }
    if (r == CHANGES_E_CURSOR) {
        *ret_failure = cursor_too_old(call, page.horizon,
                                      wanted->since.elsewhere || wanted->since.seq > page.horizon);
        return 0;
    }
    call->body =
        json_pack("{s:o,s:I,s:s,s:b,s:I}", "changes", page.changes, "next", (json_int_t)page.next,
                  "cursor", log_cursor_text(call->service, page.next, call->arena), "more",
                  page.more, "horizon", (json_int_t)page.horizon);
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

static SyncFailure changes_get(SyncCall *call) {
    Changes wanted;
    uint64_t limit = 0;
    SyncFailure failure = log_cursor_of_query(call, &wanted.since);

    if (failure == SYNC_FAILURE_NONE) {
        failure = change_query_number(call, "limit", 1, CHANGES_MAX, LIMIT_USUAL, &limit);
    }
    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    wanted.limit = (size_t)limit;
    return sync_call_look(call, read_changes, &wanted);
}

void changes_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, changes_get);
}

typedef struct Objects {
    ObjectCursor after;
    size_t limit;
} Objects;

static int read_objects(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Objects *wanted = userdata;
    Library library = library_of_call(call);
    ObjectCursor cursor = wanted->after, next;
    EventHead head;
    json_t *objects;
    bool more;
    int r = 0;

    if (cursor.kind[0] == '\0') {
        /* Before anything is listed: what changes meanwhile is told by the changes from here on. */
        r = event_log_head(tx, &call->caller.user_id, SYNC_TOPIC, call->arena, &head);
        cursor.seq = head.seq;
    }
    r = r < 0 ? r : object_list(tx, &library, NULL, &cursor, wanted->limit, &objects, &next, &more);
    if (r < 0) {
        return err_trace(r);
    }
    call->body =
        json_pack("{s:o,s:I,s:s,s:o}", "objects", objects, "seq", (json_int_t)cursor.seq, "cursor",
                  log_cursor_text(call->service, cursor.seq, call->arena), "next",
                  more ? json_string(cursor_text(&next, call->arena)) : json_null());
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

static SyncFailure objects_get(SyncCall *call) {
    Objects wanted = {0};
    SyncFailure failure =
        cursor_of_query(call, LIMIT_USUAL, CHANGES_MAX, &wanted.after, &wanted.limit);

    return failure != SYNC_FAILURE_NONE ? failure : sync_call_look(call, read_objects, &wanted);
}

void objects_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, objects_get);
}
