/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/check/library_check.h"

#include "base/error.h"
#include "services/sync/index.h"
#include "services/sync/usage.h"

#define BATCH     200
#define NAMED_MAX 10 /* differences of the tables that find objects; the others are counted */

static const DbStatement count_statement = {
    "check_count", "SELECT count(*) FROM sync_object WHERE user_id = ?", 1, 1};

typedef struct Check {
    const UserKey *key;
    CheckFound *found;
    void *userdata;
    EventHead head;
    int64_t seq, n_rows; /* the event before; rows that are an event's */
    int64_t n_differ;    /* objects that are found wrongly */
} Check;

int library_check_statements(Db *db, const char **reterr_name) {
    int r = db_check(db, &count_statement, 1, reterr_name);

    r = r < 0 ? r : db_check(db, usage_statements, usage_statements_len, reterr_name);
    return r < 0 ? err_trace(r) : index_check(db, reterr_name);
}

/* "... %lld ...", in two halves. */
static void tell(Check *check, Arena *arena, const char *before, int64_t number,
                 const char *after) {
    check->found(arena_printf(arena, "%s %lld%s", before, (long long)number, after),
                 check->userdata);
}

static void tell_index(Check *check, Arena *arena, const char *kind, const Uuid *id,
                       const char *what) {
    char text[UUID_TEXT_SIZE];

    if (++check->n_differ <= NAMED_MAX) {
        uuid_text(id, text);
        check->found(
            arena_printf(arena, "the %s %s %s; imagesync rebuild mends that", kind, text, what),
            check->userdata);
    }
}

/* What finds the object, which is as the event says. */
static int check_index(DbTx *tx, Check *check, const Event *event, const Object *object,
                       Arena *arena) {
    Library library = {.key = check->key, .arena = arena};
    bool differs;
    int r = index_differs(tx, &library, event->kind, object, &differs);

    if (r == 0 && differs) {
        tell_index(check, arena, event->kind, &object->id, "is not found as its state says");
    }
    return err_trace(r);
}

/* `object` has no state when there is none. */
static int check_row(DbTx *tx, Check *check, const Event *event, const Object *object,
                     Arena *arena) {
    ObjectRow row;
    int r = object_compare_row(tx, event, arena, &row);

    if (r < 0) {
        return err_trace(r);
    }
    check->n_rows += row == OBJECT_ROW_SAME || row == OBJECT_ROW_OTHER;
    if (row == OBJECT_ROW_NONE) {
        tell(check, arena, "the object of change", event->seq,
             " is missing; imagesync rebuild makes it again");
    } else if (row == OBJECT_ROW_OTHER || row == OBJECT_ROW_EARLIER) {
        tell(check, arena, "the object of change", event->seq,
             " is not what the log says; imagesync rebuild makes it again");
    } else if (row == OBJECT_ROW_SAME && object->state) {
        return err_trace(check_index(tx, check, event, object, arena));
    }
    return 0;
}

static int check_event(DbTx *tx, Check *check, const Event *event, Arena *arena) {
    _cleanup_(object_done) Object object = {0};
    Library library = {.key = check->key, .arena = arena};
    int64_t expected = check->seq + 1;

    /* Up to the horizon events may have gone. */
    if (event->seq > MAX(expected, check->head.horizon + 1)) {
        tell(check, arena, "the log has a gap before change", event->seq, "");
    }
    if (!event->removed && object_of_event(&library, event, &object) != 0) {
        tell(check, arena, "change", event->seq, " does not open");
    }
    check->seq = event->seq;
    return err_trace(check_row(tx, check, event, &object, arena));
}

static int check_some(DbTx *tx, Check *check, bool *ret_end) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Event *events;
    size_t n;
    int r =
        event_log_read(tx, &check->key->user_id, SYNC_TOPIC, check->seq, BATCH, arena, &events, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = check_event(tx, check, &events[i], arena);
    }
    *ret_end = n < BATCH;
    return r < 0 ? err_trace(r) : 0;
}

static int check_strays(DbTx *tx, Check *check, Arena *arena) {
    Library library = {.key = check->key, .arena = arena};
    IndexStray *strays;
    size_t n;
    int r = index_strays(tx, &library, NAMED_MAX, &strays, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        tell_index(check, arena, strays[i].kind, &strays[i].id, "is found, and is not there");
    }
    if (r == 0 && check->n_differ > NAMED_MAX) {
        tell(check, arena, "besides these, at least", check->n_differ - NAMED_MAX,
             " objects are found wrongly");
    }
    return err_trace(r);
}

static int check_usage(DbTx *tx, Check *check, Arena *arena) {
    const Uuid *user_id = &check->key->user_id;
    Usage said, counted;
    int r = usage_get(tx, user_id, arena, &said);

    r = r < 0 ? r : usage_count(tx, user_id, arena, &counted);
    if (r < 0) {
        return err_trace(r);
    }
    if (!usage_equal(&said, &counted)) {
        check->found(arena_printf(arena,
                                  "%lld files of %lld bytes and room for %lld are counted, and "
                                  "there are %lld of %lld and room for %lld; imagesync rebuild "
                                  "counts them again",
                                  (long long)said.files, (long long)said.bytes,
                                  (long long)said.reserved, (long long)counted.files,
                                  (long long)counted.bytes, (long long)counted.reserved),
                     check->userdata);
    }
    return 0;
}

static int work(DbTx *tx, void *userdata) {
    Check *check = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue user_id = DB_BLOB(uuid_str(&check->key->user_id));
    const DbValue *row;
    bool end = false;
    int r = event_log_head(tx, &check->key->user_id, SYNC_TOPIC, arena, &check->head);

    check->seq = check->n_rows = check->n_differ = 0;
    while (r == 0 && !end) {
        r = check_some(tx, check, &end);
    }
    r = r < 0 ? r : db_query_one(tx, &count_statement, &user_id, arena, &row);
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
    r = check_strays(tx, check, arena);
    return r < 0 ? err_trace(r) : err_trace(check_usage(tx, check, arena));
}

int library_check(Db *db, const UserKey *key, CheckFound *found, void *userdata) {
    Check check = {.key = key, .found = found, .userdata = userdata};

    return err_trace(db_read(db, NULL, work, &check));
}
