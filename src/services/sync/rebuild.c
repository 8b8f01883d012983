/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/rebuild.h"

#include "base/clock.h"
#include "base/error.h"
#include "services/sync/index.h"
#include "services/sync/usage.h"

#define BATCH     200 /* events or objects in a transaction, and in memory */
#define TRIES_MAX 10  /* of a batch that meets others' writes again and again */

enum {
    REBUILD_LOCK,
    REBUILD_STRAYS,
    REBUILD_USERS,
    _REBUILD_STATEMENT_MAX,
};

static const DbStatement statements[_REBUILD_STATEMENT_MAX] = {
    /* So that whoever adds to the log waits, and we are not run again for it. */
    [REBUILD_LOCK] = {"rebuild_lock",
                      "UPDATE event_head SET seq = seq WHERE user_id = ? AND topic = ?", 2, 0},
    [REBUILD_STRAYS] = {"rebuild_strays",
                        "SELECT o.kind, o.object_id FROM sync_object o WHERE o.user_id = ?"
                        " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.user_id = o.user_id"
                        " AND e.topic = ? AND e.object_id = o.object_id AND e.kind = o.kind)"
                        " LIMIT ?",
                        3, 2},
    [REBUILD_USERS] = {"rebuild_users",
                       "SELECT user_id FROM event_head WHERE topic = ? AND user_id > ?"
                       " ORDER BY user_id LIMIT ?",
                       3, 1},
};

typedef struct Rebuild {
    Db *db;
    const UserKey *key;
    RebuildUnreadable *unreadable;
    void *userdata;
    RebuildResult result; /* of the batches that are done */
    int64_t after;        /* the last event of these */

    /* Of the batch, set anew when it is run again. */
    Library library;
    RebuildResult some;
    int64_t last; /* its last event; 0: there are no more */
    IndexStray *strays;
    size_t n_strays, n_dropped;
} Rebuild;

int rebuild_check(Db *db, const char **reterr_name) {
    int r = db_check(db, statements, _REBUILD_STATEMENT_MAX, reterr_name);

    r = r < 0 ? r : db_check(db, usage_statements, usage_statements_len, reterr_name);
    return r < 0 ? err_trace(r) : index_check(db, reterr_name);
}

static int lock(DbTx *tx, const Rebuild *rebuild) {
    int r = db_exec(
        tx, &statements[REBUILD_LOCK],
        (DbValue[]){DB_BLOB(uuid_str(&rebuild->key->user_id)), DB_TEXT(str_from(SYNC_TOPIC))},
        NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* What finds an object that is there. */
static int mend_index(DbTx *tx, Rebuild *rebuild, const Event *event) {
    const Library *library = &rebuild->library;
    _cleanup_(object_done) Object object = {0};
    bool differs = false;
    int r = object_of_event(library, event, &object);

    if (r == -EBADMSG) {
        rebuild->some.n_unreadable++;
        rebuild->unreadable(event, rebuild->userdata);
        return err_trace(index_drop(tx, library, event->kind, &event->object_id));
    }
    r = r < 0 ? r : index_differs(tx, library, event->kind, &object, &differs);
    if (r == 0 && differs) {
        r = index_drop(tx, library, event->kind, &object.id);
        r = r < 0 ? r : index_apply(tx, library, event->kind, &object);
    }
    return err_trace(r);
}

static int mend(DbTx *tx, Rebuild *rebuild, const Event *event) {
    ObjectRow row;
    int64_t last;
    int r = event_log_last(tx, &event->user_id, SYNC_TOPIC, event->kind, &event->object_id,
                           rebuild->library.arena, &last);

    if (r < 0 || last != event->seq) {
        return err_trace(r); /* or its last event makes it right */
    }
    r = object_compare_row(tx, event, rebuild->library.arena, &row);
    if (r == 0 && row != OBJECT_ROW_SAME) {
        r = object_put_row(tx, event);
    }
    if (r == 0 && event->removed) {
        r = index_drop(tx, &rebuild->library, event->kind, &event->object_id);
    } else if (r == 0) {
        rebuild->some.n_objects++;
        r = mend_index(tx, rebuild, event);
    }
    return err_trace(r);
}

static int mend_some(DbTx *tx, void *userdata) {
    Rebuild *rebuild = userdata;
    Event *events;
    size_t n = 0;
    int r = lock(tx, rebuild);

    rebuild->some = (RebuildResult){0};
    r = r < 0 ? r
              : event_log_read(tx, &rebuild->key->user_id, SYNC_TOPIC, rebuild->after, BATCH,
                               rebuild->library.arena, &events, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = mend(tx, rebuild, &events[i]);
    }
    if (r < 0) {
        return err_trace(r);
    }
    rebuild->some.n_events = n;
    rebuild->last = n == BATCH ? events[n - 1].seq : 0;
    return 0;
}

static int find_strays(DbTx *tx, void *userdata) {
    Rebuild *rebuild = userdata;
    Arena *arena = rebuild->library.arena;
    DbRows rows;
    int r = db_query(tx, &statements[REBUILD_STRAYS],
                     (DbValue[]){DB_BLOB(uuid_str(&rebuild->key->user_id)),
                                 DB_TEXT(str_from(SYNC_TOPIC)), DB_INT(BATCH)},
                     BATCH, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    if (rows.n_rows == 0) {
        return err_trace(
            index_strays(tx, &rebuild->library, BATCH, &rebuild->strays, &rebuild->n_strays));
    }
    rebuild->strays = arena_alloc(arena, rows.n_rows * sizeof(*rebuild->strays));
    rebuild->n_strays = rows.n_rows;
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        rebuild->strays[i].kind = db_rows_at(&rows, i, 0)->bytes.ptr;
        r = uuid_from_str(db_rows_at(&rows, i, 1)->bytes, &rebuild->strays[i].id);
    }
    return err_trace(r);
}

/* Looked at again: since it was found, an object of that id may have come. */
static int drop_stray(DbTx *tx, Rebuild *rebuild, const IndexStray *stray) {
    const Library *library = &rebuild->library;
    _cleanup_(object_done) Object object = {0};
    int64_t last;
    int r = event_log_last(tx, &rebuild->key->user_id, SYNC_TOPIC, stray->kind, &stray->id,
                           library->arena, &last);

    if (r == 0 && last == 0) {
        r = object_drop_row(tx, &rebuild->key->user_id, stray->kind, &stray->id);
    }
    r = r < 0 ? r : object_get(tx, library, stray->kind, &stray->id, &object);
    if (r == 0 || r == -EBADMSG) {
        return 0; /* it is there */
    }
    rebuild->n_dropped++;
    return r < 0 ? err_trace(r) : err_trace(index_drop(tx, library, stray->kind, &stray->id));
}

static int drop_strays(DbTx *tx, void *userdata) {
    Rebuild *rebuild = userdata;
    int r = lock(tx, rebuild);

    rebuild->some = (RebuildResult){0};
    rebuild->n_dropped = 0;
    for (size_t i = 0; r == 0 && i < rebuild->n_strays; i++) {
        r = drop_stray(tx, rebuild, &rebuild->strays[i]);
    }
    return err_trace(r);
}

static int count_files(DbTx *tx, void *userdata) {
    Rebuild *rebuild = userdata;

    rebuild->some = (RebuildResult){0};
    return err_trace(usage_remake(tx, &rebuild->key->user_id, rebuild->library.arena));
}

/* With the arena of the batch. */
static int run(Rebuild *rebuild, DbWork *work) {
    RebuildResult *all = &rebuild->result;
    const RebuildResult *some = &rebuild->some;
    int r = -EBUSY;

    for (unsigned i = 0; r == -EBUSY && i < TRIES_MAX; i++) {
        r = db_write(rebuild->db, work, rebuild, NULL);
    }
    if (r < 0) {
        return err_trace(r);
    }
    all->n_events += some->n_events;
    all->n_objects += some->n_objects;
    all->n_unreadable += some->n_unreadable;
    return 0;
}

/* The next of what there is to do: sets *ret_end after the last. */
typedef int Step(Rebuild *rebuild, bool *ret_end);

static int step_events(Rebuild *rebuild, bool *ret_end) {
    int r = run(rebuild, mend_some);

    rebuild->after = rebuild->last;
    *ret_end = rebuild->last == 0;
    return err_trace(r);
}

static int step_strays(Rebuild *rebuild, bool *ret_end) {
    int r = db_read(rebuild->db, NULL, find_strays, rebuild);

    if (r < 0 || rebuild->n_strays == 0) {
        *ret_end = true;
        return err_trace(r);
    }
    r = run(rebuild, drop_strays);
    *ret_end = rebuild->n_dropped == 0; /* none is one any more */
    return err_trace(r);
}

static int step_usage(Rebuild *rebuild, bool *ret_end) {
    *ret_end = true;
    return err_trace(run(rebuild, count_files));
}

int rebuild_library(Db *db, const UserKey *key, RebuildUnreadable *unreadable, void *userdata,
                    RebuildResult *ret_result) {
    static Step *const steps[] = {step_events, step_strays, step_usage};
    Rebuild rebuild = {.db = db, .key = key, .unreadable = unreadable, .userdata = userdata};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(steps); i++) {
        for (bool end = false; r == 0 && !end;) {
            _cleanup_(arena_freep) Arena *arena = arena_new();
            rebuild.library = (Library){.key = key, .now_us = clock_unix_us(), .arena = arena};
            r = steps[i](&rebuild, &end);
        }
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_result = rebuild.result;
    return 0;
}

int rebuild_users(DbTx *tx, const Uuid *after, Arena *arena, Uuid **ret_users, size_t *ret_n) {
    return db_query_ids(tx, &statements[REBUILD_USERS],
                        (DbValue[]){DB_TEXT(str_lit(SYNC_TOPIC)), DB_BLOB(uuid_str(after)),
                                    DB_INT(REBUILD_USERS_MAX)},
                        REBUILD_USERS_MAX, arena, ret_users, ret_n);
}
