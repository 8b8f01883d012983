/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/rebuild.h"

#include "base/clock.h"
#include "base/error.h"
#include "services/sync/index.h"
#include "services/sync/object_list.h"

#define BATCH 200 /* events or objects in memory */

enum {
    REBUILD_LOCK,
    REBUILD_CLEAR,
    REBUILD_USERS,
    _REBUILD_STATEMENT_MAX,
};

static const DbStatement statements[_REBUILD_STATEMENT_MAX] = {
    /* So that whoever adds to the log waits, and is not run again. */
    [REBUILD_LOCK] = {"rebuild_lock",
                      "UPDATE event_head SET seq = seq WHERE user_id = ? AND topic = ?", 2, 0},
    [REBUILD_CLEAR] = {"rebuild_clear", "DELETE FROM sync_object WHERE user_id = ?", 1, 0},
    [REBUILD_USERS] = {"rebuild_users",
                       "SELECT user_id FROM event_head WHERE topic = ? AND user_id > ?"
                       " ORDER BY user_id LIMIT ?",
                       3, 1},
};

typedef struct Rebuild {
    const UserKey *key;
    RebuildUnreadable *unreadable;
    void *userdata;
    RebuildResult result;
} Rebuild;

int rebuild_check(Db *db, const char **reterr_name) {
    int r = db_check(db, statements, _REBUILD_STATEMENT_MAX, reterr_name);

    return r < 0 ? err_trace(r) : index_check(db, reterr_name);
}

static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* The next events; *ret_after is 0 after the last. */
static int replay_some(DbTx *tx, Rebuild *rebuild, int64_t *after) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Event *events;
    size_t n;
    int r =
        event_log_read(tx, &rebuild->key->user_id, SYNC_TOPIC, *after, BATCH, arena, &events, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = object_put_row(tx, &events[i]);
    }
    if (r < 0) {
        return err_trace(r);
    }
    rebuild->result.n_events += n;
    *after = n == BATCH ? events[n - 1].seq : 0;
    return 0;
}

static int apply(DbTx *tx, Rebuild *rebuild, const Library *library, const Event *row) {
    _cleanup_(object_done) Object object = {0};
    int r = object_of_event(library, row, &object);

    if (r == -EBADMSG) {
        rebuild->result.n_unreadable++;
        rebuild->unreadable(row, rebuild->userdata);
        return 0;
    }
    return r < 0 ? err_trace(r) : err_trace(index_apply(tx, library, row->kind, &object));
}

static int apply_some(DbTx *tx, Rebuild *rebuild, ObjectCursor *cursor, bool *ret_end) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Library library = {.key = rebuild->key, .now_us = clock_unix_us(), .arena = arena};
    Event *rows;
    size_t n;
    int r = object_list_rows(tx, &library, NULL, cursor, BATCH, &rows, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        object_cursor_set(cursor, &rows[i]);
        if (!rows[i].removed) {
            rebuild->result.n_objects++;
            r = apply(tx, rebuild, &library, &rows[i]);
        }
    }
    *ret_end = n < BATCH;
    return r < 0 ? err_trace(r) : 0;
}

static int work(DbTx *tx, void *userdata) {
    Rebuild *rebuild = userdata;
    const DbValue user_id = DB_BLOB(uuid_str(&rebuild->key->user_id));
    ObjectCursor cursor = {0};
    int64_t after = 0;
    bool end = false;
    int r;

    rebuild->result = (RebuildResult){0};
    r = run(tx, REBUILD_LOCK, (DbValue[]){user_id, DB_TEXT(str_lit(SYNC_TOPIC))});
    r = r < 0 ? r : run(tx, REBUILD_CLEAR, &user_id);
    r = r < 0 ? r : index_clear(tx, &rebuild->key->user_id);
    do {
        r = r < 0 ? r : replay_some(tx, rebuild, &after);
    } while (r == 0 && after > 0);
    while (r == 0 && !end) {
        r = apply_some(tx, rebuild, &cursor, &end);
    }
    return r < 0 ? err_trace(r) : 0;
}

int rebuild_library(Db *db, const UserKey *key, RebuildUnreadable *unreadable, void *userdata,
                    RebuildResult *ret_result) {
    Rebuild rebuild = {.key = key, .unreadable = unreadable, .userdata = userdata};
    int r = db_write(db, work, &rebuild, NULL);

    if (r == 0) {
        *ret_result = rebuild.result;
    }
    return err_trace(r);
}

int rebuild_users(DbTx *tx, const Uuid *after, Arena *arena, Uuid **ret_users, size_t *ret_n) {
    DbRows rows;
    Uuid *users;
    int r = db_query(tx, &statements[REBUILD_USERS],
                     (DbValue[]){DB_TEXT(str_lit(SYNC_TOPIC)), DB_BLOB(uuid_str(after)),
                                 DB_INT(REBUILD_USERS_MAX)},
                     REBUILD_USERS_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    users = arena_alloc(arena, (rows.n_rows + 1) * sizeof(*users));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = uuid_from_str(db_rows_at(&rows, i, 0)->bytes, &users[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_users = users;
    *ret_n = rows.n_rows;
    return 0;
}
