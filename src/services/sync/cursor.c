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

static bool is_epoch(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] < '0' || text.ptr[i] > '9') && (text.ptr[i] < 'a' || text.ptr[i] > 'f')) {
            return false;
        }
    }
    return text.len == EPOCH_LEN;
}

int log_cursor_parse(const SyncService *service, Str text, LogCursor *ret_cursor) {
    uint64_t seq = 0;
    Str rest = text, number;
    bool has_epoch;

    if (!str_next_token(&rest, ".", &number) || str_to_u64(number, &seq) < 0 || seq > INT64_MAX) {
        return -EINVAL;
    }
    has_epoch = number.len < text.len;
    if (has_epoch && !is_epoch(rest)) {
        return -EINVAL;
    }
    *ret_cursor =
        (LogCursor){(int64_t)seq, has_epoch && !str_equal(rest, str_from(service->epoch))};
    return 0;
}

const char *log_cursor_text(const SyncService *service, int64_t seq, Arena *arena) {
    return arena_printf(arena, "%lld.%s", (long long)seq, service->epoch);
}

SyncFailure log_cursor_of_query(SyncCall *call, LogCursor *ret_cursor) {
    const char *since = http_request_query(call->request, "since");
    size_t n = http_request_query_count(call->request, "since");

    *ret_cursor = (LogCursor){0};
    if (n > 1 ||
        (n == 1 && (!since || log_cursor_parse(call->service, str_from(since), ret_cursor) < 0))) {
        call->detail = "since: give what was in cursor or next, once.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    return SYNC_FAILURE_NONE;
}

SyncFailure cursor_too_old(SyncCall *call, int64_t horizon, bool restored) {
    call->problem =
        json_pack("{s:I,s:b}", "horizon", (json_int_t)horizon, "restored", (int)restored);
    call->detail = restored ? "The library was restored from a backup, and what you have seen is "
                              "not in it. Read /v1/objects, send what it lacks again, and go on "
                              "from its cursor."
                            : "What was changed since then is not known any more. Read "
                              "/v1/objects, and go on from its cursor.";
    return SYNC_FAILURE_CURSOR_TOO_OLD;
}
