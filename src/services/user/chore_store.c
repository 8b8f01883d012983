/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/chore_store.h"

#include "base/error.h"

enum {
    CHORE_ADD,
    CHORE_GET,
    CHORE_TAKE,
    CHORE_RENEW,
    CHORE_RELEASE,
    _CHORE_STATEMENT_MAX,
};

const DbStatement chore_statements[_CHORE_STATEMENT_MAX] = {
    [CHORE_ADD] = {"chore_add",
                   "INSERT INTO user_chore (name, holder, until_us, due_us) VALUES (?, ?, 0, 0) "
                   "ON CONFLICT (name) DO NOTHING",
                   2, 0},
    [CHORE_GET] = {"chore_get", "SELECT holder, until_us, due_us FROM user_chore WHERE name = ?", 1,
                   3},
    [CHORE_TAKE] = {"chore_take",
                    "UPDATE user_chore SET holder = ?, until_us = ? "
                    "WHERE name = ? AND holder = ? AND until_us = ?",
                    5, 0},
    [CHORE_RENEW] = {"chore_renew",
                     "UPDATE user_chore SET until_us = ? WHERE name = ? AND holder = ?", 3, 0},
    [CHORE_RELEASE] = {"chore_release",
                       "UPDATE user_chore SET until_us = 0, due_us = ? "
                       "WHERE name = ? AND holder = ?",
                       3, 0},
};
const size_t chore_statements_len = _CHORE_STATEMENT_MAX;

/* No statement here has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &chore_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int get(DbTx *tx, const ChoreLease *lease, const DbValue **ret_row) {
    const DbValue name = DB_TEXT(str_from(lease->name));
    int r = db_query_one(tx, &chore_statements[CHORE_GET], &name, lease->arena, ret_row);

    if (r == DB_E_NONE) {
        r = run(tx, CHORE_ADD, (DbValue[]){name, DB_BLOB(uuid_str(&lease->holder))}, NULL);
        if (r == 0) {
            r = db_query_one(tx, &chore_statements[CHORE_GET], &name, lease->arena, ret_row);
        }
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int chore_store_take(DbTx *tx, ChoreLease *lease) {
    int64_t until_us, due_us;
    const DbValue *row;
    uint64_t changed;
    int r = get(tx, lease, &row);

    if (r < 0) {
        return err_trace(r);
    }
    until_us = row[1].integer;
    due_us = row[2].integer;
    if (until_us > lease->now_us && !str_equal(row[0].bytes, uuid_str(&lease->holder))) {
        lease->free_us = until_us;
        return CHORE_E_LATER;
    }
    /* Further away than a period: the period was longer, or a clock was wrong. */
    if (!lease->early && due_us > lease->now_us && due_us <= lease->now_us + lease->period_us) {
        lease->free_us = due_us;
        return CHORE_E_LATER;
    }
    r = run(tx, CHORE_TAKE,
            (DbValue[]){DB_BLOB(uuid_str(&lease->holder)), DB_INT(lease->until_us),
                        DB_TEXT(str_from(lease->name)), row[0], row[1]},
            &changed);
    if (r == 0 && changed == 0) {
        lease->free_us = lease->now_us;
        return CHORE_E_LATER;
    }
    return r < 0 ? err_trace(r) : 0;
}

int chore_store_renew(DbTx *tx, const ChoreLease *lease) {
    uint64_t changed;
    int r = run(tx, CHORE_RENEW,
                (DbValue[]){DB_INT(lease->until_us), DB_TEXT(str_from(lease->name)),
                            DB_BLOB(uuid_str(&lease->holder))},
                &changed);

    return r < 0 ? err_trace(r) : changed == 0 ? CHORE_E_LOST : 0;
}

int chore_store_release(DbTx *tx, const ChoreLease *lease, int64_t due_us) {
    uint64_t changed;
    int r = run(tx, CHORE_RELEASE,
                (DbValue[]){DB_INT(due_us), DB_TEXT(str_from(lease->name)),
                            DB_BLOB(uuid_str(&lease->holder))},
                &changed);

    return r < 0 ? err_trace(r) : changed == 0 ? CHORE_E_LOST : 0;
}
