/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/cursor.h"

#include "services/sync/change.h"

#include <errno.h>

int cursor_parse(Str text, ObjectCursor *ret_cursor) {
    ObjectCursor cursor = {0};
    uint64_t seq = 0;
    Str rest = text, number, kind, id;

    if (!str_next_token(&rest, ".", &number) || !str_next_token(&rest, ".", &kind) ||
        !str_next_token(&rest, ".", &id) || rest.len > 0 || str_to_u64(number, &seq) < 0 ||
        seq > INT64_MAX || kind.len == 0 || kind.len >= CURSOR_KIND_SIZE ||
        uuid_parse(id, &cursor.id) < 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < kind.len; i++) {
        if ((kind.ptr[i] < 'a' || kind.ptr[i] > 'z') && kind.ptr[i] != '_') {
            return -EINVAL;
        }
        cursor.kind[i] = kind.ptr[i];
    }
    cursor.seq = (int64_t)seq;
    *ret_cursor = cursor;
    return 0;
}

const char *cursor_text(const ObjectCursor *cursor, Arena *arena) {
    char id[UUID_TEXT_SIZE];

    uuid_text(&cursor->id, id);
    return arena_printf(arena, "%lld.%s.%s", (long long)cursor->seq, cursor->kind, id);
}

SyncFailure cursor_of_query(SyncCall *call, size_t usual, size_t max, ObjectCursor *ret_after,
                            size_t *ret_limit) {
    const char *after = http_request_query(call->request, "after");
    uint64_t limit = 0;
    SyncFailure failure = change_query_number(call, "limit", 1, max, usual, &limit);

    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    *ret_after = (ObjectCursor){0};
    *ret_limit = (size_t)limit;
    if (after && cursor_parse(str_from(after), ret_after) < 0) {
        call->detail = "after: give what was in next, or nothing.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return SYNC_FAILURE_NONE;
}

SyncFailure cursor_too_old(SyncCall *call, int64_t horizon) {
    call->problem = json_pack("{s:I}", "horizon", (json_int_t)horizon);
    call->detail = "What was changed since then is not known any more. Read /v1/objects, and go on "
                   "from its seq.";
    return SYNC_FAILURE_CURSOR_TOO_OLD;
}
