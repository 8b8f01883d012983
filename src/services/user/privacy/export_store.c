/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/export_store.h"

#include "base/error.h"

const char *const export_state_names[] = {"waiting", "running", "ready", "failed", NULL};
const char *const export_reason_names[] = {"", "fault", "too_large", NULL};

enum {
    EXPORT_ADD,
    EXPORT_GET,
    EXPORT_LIST,
    EXPORT_DUE,
    EXPORT_TAKE,
    EXPORT_HOLD,
    EXPORT_PUT,
    EXPORT_REMOVE,
    EXPORT_REMOVE_OTHERS,
    EXPORT_ADD_PART,
    EXPORT_GET_PART,
    EXPORT_REMOVE_PARTS,
    EXPORT_REMOVE_OTHER_PARTS,
    _EXPORT_STATEMENT_MAX,
};

#define COLUMNS                                                                                    \
    "user_id, export_id, state, reason, tries, len, n_parts, created_us, ready_us, due_us"
#define N_COLUMNS 10

const DbStatement export_statements[_EXPORT_STATEMENT_MAX] = {
    [EXPORT_ADD] = {"export_add",
                    "INSERT INTO user_export (" COLUMNS ") VALUES (?, ?, 0, 0, 0, 0, 0, ?, 0, ?)",
                    4, 0},
    [EXPORT_GET] = {"export_get",
                    "SELECT " COLUMNS " FROM user_export WHERE user_id = ? AND export_id = ?", 2,
                    N_COLUMNS},
    [EXPORT_LIST] = {"export_list",
                     "SELECT " COLUMNS " FROM user_export WHERE user_id = ? "
                     "ORDER BY created_us DESC, export_id DESC",
                     1, N_COLUMNS},
    [EXPORT_DUE] = {"export_due",
                    "SELECT " COLUMNS " FROM user_export WHERE due_us <= ? "
                    "ORDER BY due_us LIMIT ?",
                    2, N_COLUMNS},
    [EXPORT_TAKE] = {"export_take",
                     "UPDATE user_export SET state = 1, tries = tries + 1, due_us = ? "
                     "WHERE user_id = ? AND export_id = ? AND state IN (0, 1) AND tries = ? "
                     "AND due_us = ?",
                     5, 0},
    [EXPORT_HOLD] = {"export_hold",
                     "UPDATE user_export SET due_us = ? "
                     "WHERE user_id = ? AND export_id = ? AND state = 1 AND tries = ?",
                     4, 0},
    [EXPORT_PUT] = {"export_put",
                    "UPDATE user_export SET state = ?, reason = ?, len = ?, n_parts = ?, "
                    "ready_us = ?, due_us = ? "
                    "WHERE user_id = ? AND export_id = ? AND state = 1 AND tries = ?",
                    9, 0},
    [EXPORT_REMOVE] = {"export_remove",
                       "DELETE FROM user_export WHERE user_id = ? AND export_id = ?", 2, 0},
    [EXPORT_REMOVE_OTHERS] = {"export_remove_others",
                              "DELETE FROM user_export WHERE user_id = ? AND export_id <> ?", 2, 0},
    [EXPORT_ADD_PART] = {"export_add_part",
                         "INSERT INTO user_export_part (user_id, export_id, part, bytes_sealed) "
                         "VALUES (?, ?, ?, ?)",
                         4, 0},
    [EXPORT_GET_PART] = {"export_get_part",
                         "SELECT bytes_sealed FROM user_export_part "
                         "WHERE user_id = ? AND export_id = ? AND part = ?",
                         3, 1},
    [EXPORT_REMOVE_PARTS] = {"export_remove_parts",
                             "DELETE FROM user_export_part WHERE user_id = ? AND export_id = ?", 2,
                             0},
    [EXPORT_REMOVE_OTHER_PARTS] =
        {"export_remove_other_parts",
         "DELETE FROM user_export_part WHERE user_id = ? AND export_id <> ?", 2, 0},
};
const size_t export_statements_len = _EXPORT_STATEMENT_MAX;

static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &export_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int read_row(const DbValue *row, Export *ret_export) {
    *ret_export = (Export){.state = (int)row[2].integer,
                           .reason = (int)row[3].integer,
                           .tries = row[4].integer,
                           .len = row[5].integer,
                           .n_parts = row[6].integer,
                           .created_us = row[7].integer,
                           .ready_us = row[8].integer,
                           .due_us = row[9].integer};
    if (ret_export->state < EXPORT_WAITING || ret_export->state > EXPORT_FAILED ||
        ret_export->reason < EXPORT_REASON_NONE || ret_export->reason > EXPORT_REASON_TOO_LARGE ||
        uuid_from_str(row[0].bytes, &ret_export->user_id) < 0 ||
        uuid_from_str(row[1].bytes, &ret_export->export_id) < 0) {
        return err_trace(-EBADMSG);
    }
    return 0;
}

static int read_rows(DbTx *tx, int statement, const DbValue *params, size_t max, Arena *arena,
                     Export **ret_exports, size_t *ret_n) {
    Export *exports;
    DbRows rows;
    int r = db_query(tx, &export_statements[statement], params, max, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    exports = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*exports));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = read_row(db_rows_at(&rows, i, 0), &exports[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_exports = exports;
    *ret_n = rows.n_rows;
    return 0;
}

int export_store_list(DbTx *tx, const Uuid *user_id, Arena *arena, Export **ret_exports,
                      size_t *ret_n) {
    return read_rows(tx, EXPORT_LIST, (DbValue[]){DB_BLOB(uuid_str(user_id))}, EXPORTS_MAX, arena,
                     ret_exports, ret_n);
}

int export_store_due(DbTx *tx, int64_t now_us, size_t max, Arena *arena, Export **ret_exports,
                     size_t *ret_n) {
    return read_rows(tx, EXPORT_DUE, (DbValue[]){DB_INT(now_us), DB_INT(max)}, max, arena,
                     ret_exports, ret_n);
}

int export_store_get(DbTx *tx, const Uuid *user_id, const Uuid *export_id, Arena *arena,
                     Export *ret_export) {
    const DbValue *row;
    int r = db_query_one(tx, &export_statements[EXPORT_GET],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(export_id))},
                         arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? EXPORT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    return err_trace(read_row(row, ret_export));
}

int export_store_add(DbTx *tx, Arena *arena, Export *export) {
    Export *exports;
    size_t n;
    int r = export_store_list(tx, &export->user_id, arena, &exports, &n);

    if (r < 0) {
        return err_trace(r);
    }
    for (size_t i = 0; i < n; i++) {
        if (exports[i].state <= EXPORT_RUNNING) {
            return EXPORT_E_BUSY;
        }
    }
    if (n == EXPORTS_MAX) {
        r = export_store_remove(tx, &export->user_id, &exports[n - 1].export_id);
        if (r < 0) {
            return err_trace(r);
        }
    }
    export->export_id = uuid_new();
    return run(tx, EXPORT_ADD,
               (DbValue[]){DB_BLOB(uuid_str(&export->user_id)),
                           DB_BLOB(uuid_str(&export->export_id)), DB_INT(export->created_us),
                           DB_INT(export->created_us)},
               NULL);
}

int export_store_take(DbTx *tx, Export *export, int64_t until_us) {
    DbValue user_id = DB_BLOB(uuid_str(&export->user_id));
    DbValue export_id = DB_BLOB(uuid_str(&export->export_id));
    uint64_t n_changed;
    int r = run(tx, EXPORT_TAKE,
                (DbValue[]){DB_INT(until_us), user_id, export_id, DB_INT(export->tries),
                            DB_INT(export->due_us)},
                &n_changed);

    if (r == 0 && n_changed == 0) {
        return EXPORT_E_TAKEN;
    }
    if (r == 0) {
        r = run(tx, EXPORT_REMOVE_PARTS, (DbValue[]){user_id, export_id}, NULL);
    }
    return r < 0 ? err_trace(r) : 0;
}

/* A part's place, as associated data. */
typedef struct PartRow {
    Uuid export_id;
    int64_t part;
} PartRow;

static Str seal_row(const PartRow *row) {
    return (Str){(const char *)row, sizeof(*row)};
}
_Static_assert(sizeof(PartRow) == 24, "no padding: it is hashed");

int export_store_add_part(DbTx *tx, const UserKey *key, const Export *export, int64_t part,
                          Str bytes, int64_t until_us, Arena *arena) {
    const PartRow row = {export->export_id, part};
    DbValue user_id = DB_BLOB(uuid_str(&export->user_id));
    DbValue export_id = DB_BLOB(uuid_str(&export->export_id));
    uint64_t n_changed;
    int r =
        run(tx, EXPORT_HOLD,
            (DbValue[]){DB_INT(until_us), user_id, export_id, DB_INT(export->tries)}, &n_changed);

    if (r == 0 && n_changed == 0) {
        return EXPORT_E_TAKEN;
    }
    if (r == 0) {
        Str sealed = column_seal(key, "user_export_part.bytes", seal_row(&row), bytes, arena);
        r = run(tx, EXPORT_ADD_PART, (DbValue[]){user_id, export_id, DB_INT(part), DB_BLOB(sealed)},
                NULL);
    }
    return r < 0 ? err_trace(r) : 0;
}

int export_store_put(DbTx *tx, const Export *export, bool alone) {
    DbValue user_id = DB_BLOB(uuid_str(&export->user_id));
    DbValue export_id = DB_BLOB(uuid_str(&export->export_id));
    uint64_t n_changed;
    int r = run(tx, EXPORT_PUT,
                (DbValue[]){DB_INT(export->state), DB_INT(export->reason), DB_INT(export->len),
                            DB_INT(export->n_parts), DB_INT(export->ready_us),
                            DB_INT(export->due_us), user_id, export_id, DB_INT(export->tries)},
                &n_changed);

    if (r == 0 && n_changed == 0) {
        return EXPORT_E_TAKEN;
    }
    if (r == 0 && alone) {
        r = run(tx, EXPORT_REMOVE_OTHER_PARTS, (DbValue[]){user_id, export_id}, NULL);
    }
    if (r == 0 && alone) {
        r = run(tx, EXPORT_REMOVE_OTHERS, (DbValue[]){user_id, export_id}, NULL);
    }
    if (r == 0 && export->state == EXPORT_FAILED) {
        r = run(tx, EXPORT_REMOVE_PARTS, (DbValue[]){user_id, export_id}, NULL);
    }
    return r < 0 ? err_trace(r) : 0;
}

int export_store_get_part(DbTx *tx, const UserKey *key, const Uuid *export_id, int64_t part,
                          Arena *arena, Str *ret_bytes) {
    const PartRow place = {*export_id, part};
    const DbValue *row;
    int r = db_query_one(
        tx, &export_statements[EXPORT_GET_PART],
        (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(export_id)), DB_INT(part)},
        arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? EXPORT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = column_open(key, "user_export_part.bytes", seal_row(&place), row[0].bytes, arena,
                    ret_bytes);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EBADMSG);
}

int export_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *export_id) {
    const DbValue params[] = {DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(export_id))};
    int r = run(tx, EXPORT_REMOVE_PARTS, params, NULL);

    return r < 0 ? err_trace(r) : run(tx, EXPORT_REMOVE, params, NULL);
}
