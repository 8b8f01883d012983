/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/check/library_check.h"

#include "base/error.h"

#define BATCH 200

enum {
    CHECK_ROW,
    CHECK_COUNT,
    _CHECK_STATEMENT_MAX,
};

static const DbStatement statements[_CHECK_STATEMENT_MAX] = {
    [CHECK_ROW] = {"check_row",
                   "SELECT version, seq, removed, changed_us, state_sealed FROM sync_object"
                   " WHERE user_id = ? AND kind = ? AND object_id = ?",
                   3, 5},
    [CHECK_COUNT] = {"check_count", "SELECT count(*) FROM sync_object WHERE user_id = ?", 1, 1},
};

typedef struct Check {
    const UserKey *key;
    CheckFound *found;
    void *userdata;
    EventHead head;
    int64_t seq, n_rows; /* the event before; rows that are an event's */
} Check;

int library_check_statements(Db *db, const char **reterr_name) {
    return db_check(db, statements, _CHECK_STATEMENT_MAX, reterr_name);
}

/* "... %lld ...", in two halves. */
static void tell(Check *check, Arena *arena, const char *before, int64_t number,
                 const char *after) {
    check->found(arena_printf(arena, "%s %lld%s", before, (long long)number, after),
                 check->userdata);
}

static bool is_same(const DbValue *row, const Event *event) {
    return row[0].integer == event->version && (row[2].integer != 0) == event->removed &&
           row[3].integer == event->at_us && str_equal(row[4].bytes, event->sealed);
}

static int check_row(DbTx *tx, Check *check, const Event *event, Arena *arena) {
    const DbValue *row;
    int r = db_query_one(tx, &statements[CHECK_ROW],
                         (DbValue[]){DB_BLOB(uuid_str(&check->key->user_id)),
                                     DB_TEXT(str_from(event->kind)),
                                     DB_BLOB(uuid_str(&event->object_id))},
                         arena, &row);

    if (r == DB_E_NONE) {
        tell(check, arena, "the object of change", event->seq,
             " is missing; imagesync rebuild makes it again");
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    check->n_rows += row[1].integer == event->seq;
    if (row[1].integer < event->seq || (row[1].integer == event->seq && !is_same(row, event))) {
        tell(check, arena, "the object of change", event->seq,
             " is not what the log says; imagesync rebuild makes it again");
    }
    return 0;
}

static void check_event(Check *check, const Event *event, Arena *arena) {
    Library library = {.key = check->key, .arena = arena};
    Object object = {0};
    int64_t expected = check->seq + 1;

    /* Up to the horizon events may have gone. */
    if (event->seq > MAX(expected, check->head.horizon + 1)) {
        tell(check, arena, "the log has a gap before change", event->seq, "");
    }
    if (!event->removed && object_of_event(&library, event, &object) != 0) {
        tell(check, arena, "change", event->seq, " does not open");
    }
    object_done(&object);
    check->seq = event->seq;
}

static int check_some(DbTx *tx, Check *check, bool *ret_end) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Event *events;
    size_t n;
    int r =
        event_log_read(tx, &check->key->user_id, SYNC_TOPIC, check->seq, BATCH, arena, &events, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        check_event(check, &events[i], arena);
        r = check_row(tx, check, &events[i], arena);
    }
    *ret_end = n < BATCH;
    return r < 0 ? err_trace(r) : 0;
}

static int work(DbTx *tx, void *userdata) {
    Check *check = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue user_id = DB_BLOB(uuid_str(&check->key->user_id));
    const DbValue *row;
    bool end = false;
    int r = event_log_head(tx, &check->key->user_id, SYNC_TOPIC, arena, &check->head);

    check->seq = check->n_rows = 0;
    while (r == 0 && !end) {
        r = check_some(tx, check, &end);
    }
    r = r < 0 ? r : db_query_one(tx, &statements[CHECK_COUNT], &user_id, arena, &row);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    if (check->seq < check->head.seq && check->head.seq > check->head.horizon) {
        tell(check, arena, "the log ends before change", check->head.seq, "");
    } else if (check->seq > check->head.seq) {
        tell(check, arena, "the log goes on after change", check->head.seq, ", its last");
    }
    if (row[0].integer != check->n_rows) {
        tell(check, arena, "of the objects",
             row[0].integer > check->n_rows ? row[0].integer - check->n_rows
                                            : check->n_rows - row[0].integer,
             " are not what the log comes to; imagesync rebuild makes them again");
    }
    return 0;
}

int library_check(Db *db, const UserKey *key, CheckFound *found, void *userdata) {
    Check check = {.key = key, .found = found, .userdata = userdata};

    return err_trace(db_read(db, NULL, work, &check));
}
