/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/erasure_store.h"

#include "base/error.h"

enum {
    ERASURE_PUT,
    ERASURE_REMOVE,
    ERASURE_DUE,
    ERASURE_GET,
    ERASURE_BEGIN,
    ERASURE_OTHER_ADMIN,
    ERASURE_PUT_KEYLESS,
    _ERASURE_STATEMENT_MAX,
};

const DbStatement erasure_statements[_ERASURE_STATEMENT_MAX] = {
    [ERASURE_PUT] = {"erasure_put",
                     "INSERT INTO user_erasure (user_id, asked_us) VALUES (?, ?) "
                     "ON CONFLICT (user_id) DO NOTHING",
                     2, 0},
    [ERASURE_REMOVE] = {"erasure_remove", "DELETE FROM user_erasure WHERE user_id = ?", 1, 0},
    [ERASURE_DUE] = {"erasure_due",
                     "SELECT user_id FROM user_account WHERE erase_us <= ? "
                     "ORDER BY erase_us, user_id LIMIT ?",
                     2, 1},
    [ERASURE_GET] = {"erasure_get",
                     "SELECT a.erase_us, COALESCE(e.asked_us, a.erase_us) FROM user_account a "
                     "LEFT JOIN user_erasure e ON e.user_id = a.user_id "
                     "WHERE a.user_id = ? AND a.erase_us IS NOT NULL",
                     1, 2},
    /* 1: locked. */
    [ERASURE_BEGIN] = {"erasure_begin",
                       "UPDATE user_account SET status = 1, version = version + 1 "
                       "WHERE user_id = ? AND erase_us <= ?",
                       2, 0},
    /* 2: an admin; 0: active. */
    [ERASURE_OTHER_ADMIN] = {"erasure_other_admin",
                             "SELECT user_id FROM user_account "
                             "WHERE role = 2 AND status = 0 AND user_id <> ? LIMIT 1",
                             1, 1},
    [ERASURE_PUT_KEYLESS] =
        {"erasure_put_keyless",
         "UPDATE user_account SET erase_us = ? WHERE user_id = ? AND NOT EXISTS "
         "(SELECT 1 FROM user_key WHERE user_id = ?)",
         3, 0},
};
const size_t erasure_statements_len = _ERASURE_STATEMENT_MAX;

static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &erasure_statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int erasure_store_put(DbTx *tx, const Uuid *user_id, int64_t asked_us) {
    return run(tx, ERASURE_PUT, (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(asked_us)});
}

int erasure_store_remove(DbTx *tx, const Uuid *user_id) {
    return run(tx, ERASURE_REMOVE, (DbValue[]){DB_BLOB(uuid_str(user_id))});
}

int erasure_store_due(DbTx *tx, int64_t now_us, size_t max, Arena *arena, Uuid **ret_ids,
                      size_t *ret_n) {
    return db_query_ids(tx, &erasure_statements[ERASURE_DUE],
                        (DbValue[]){DB_INT(now_us), DB_INT(max)}, max, arena, ret_ids, ret_n);
}

int erasure_store_get(DbTx *tx, const Uuid *user_id, Arena *arena, int64_t *ret_erase_us,
                      int64_t *ret_asked_us) {
    const DbValue id = DB_BLOB(uuid_str(user_id));
    const DbValue *row;
    int r = db_query_one(tx, &erasure_statements[ERASURE_GET], &id, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? ERASURE_STORE_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    *ret_erase_us = row[0].integer;
    *ret_asked_us = row[1].integer;
    return 0;
}

/* Whether there was such a row, for one user. */
static int change_one(DbTx *tx, int statement, const DbValue *params) {
    uint64_t changed;
    int r = db_exec(tx, &erasure_statements[statement], params, &changed);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return changed > 0 ? 0 : ERASURE_STORE_E_NONE;
}

int erasure_store_begin(DbTx *tx, const Uuid *user_id, int64_t now_us) {
    return change_one(tx, ERASURE_BEGIN, (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(now_us)});
}

int erasure_store_put_keyless(DbTx *tx, const Uuid *user_id, int64_t erase_us) {
    const DbValue id = DB_BLOB(uuid_str(user_id));

    return change_one(tx, ERASURE_PUT_KEYLESS, (DbValue[]){DB_INT(erase_us), id, id});
}

int erasure_store_other_admin(DbTx *tx, const Uuid *user_id, Arena *arena, bool *ret_is) {
    const DbValue id = DB_BLOB(uuid_str(user_id));
    const DbValue *row;
    int r = db_query_one(tx, &erasure_statements[ERASURE_OTHER_ADMIN], &id, arena, &row);

    if (r != 0 && r != DB_E_NONE) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_is = r == 0;
    return 0;
}
