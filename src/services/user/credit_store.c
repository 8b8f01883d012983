/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/credit_store.h"

#include "base/error.h"

enum {
    CREDIT_GET,
    CREDIT_EXPIRED,
    CREDIT_ADD,
    CREDIT_RESERVE,
    CREDIT_SETTLE,
    RESERVATION_ADD,
    RESERVATION_TAKE,
    RESERVATION_EXPIRE,
    _CREDIT_STATEMENT_MAX,
};

const DbStatement credit_statements[_CREDIT_STATEMENT_MAX] = {
    [CREDIT_GET] = {"credit_get", "SELECT balance, reserved FROM user_credit WHERE user_id = ?", 1,
                    2},
    [CREDIT_EXPIRED] = {"credit_expired",
                        "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM user_reservation "
                        "WHERE user_id = ? AND expires_us <= ?",
                        2, 1},
    [CREDIT_ADD] = {"credit_add",
                    "INSERT INTO user_credit (user_id, balance, reserved) VALUES (?, ?, 0) "
                    "ON CONFLICT (user_id) DO UPDATE "
                    "SET balance = user_credit.balance + excluded.balance",
                    2, 0},
    [CREDIT_RESERVE] = {"credit_reserve",
                        "UPDATE user_credit SET reserved = reserved + ? "
                        "WHERE user_id = ? AND balance - reserved >= ?",
                        3, 0},
    [CREDIT_SETTLE] = {"credit_settle",
                       "UPDATE user_credit SET balance = balance - ?, reserved = reserved - ? "
                       "WHERE user_id = ?",
                       3, 0},
    [RESERVATION_ADD] = {"reservation_add",
                         "INSERT INTO user_reservation (user_id, reservation_id, amount, "
                         "expires_us) VALUES (?, ?, ?, ?) "
                         "ON CONFLICT (user_id, reservation_id) DO NOTHING",
                         4, 0},
    [RESERVATION_TAKE] = {"reservation_take",
                          "DELETE FROM user_reservation WHERE user_id = ? AND reservation_id = ? "
                          "RETURNING amount",
                          2, 1},
    [RESERVATION_EXPIRE] = {"reservation_expire",
                            "DELETE FROM user_reservation WHERE user_id = ? AND expires_us <= ?", 2,
                            0},
};
const size_t credit_statements_len = _CREDIT_STATEMENT_MAX;

/* No statement here has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &credit_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* What expired reservations still hold of `reserved`. */
static int sum_expired(DbTx *tx, const Uuid *user_id, int64_t now_us, Arena *arena,
                       int64_t *ret_amount) {
    const DbValue *row;
    int r = db_query_one(tx, &credit_statements[CREDIT_EXPIRED],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(now_us)}, arena, &row);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_amount = row[0].integer;
    return 0;
}

int credit_store_get(DbTx *tx, const Uuid *user_id, int64_t now_us, Arena *arena,
                     CreditState *ret_state) {
    DbValue id = DB_BLOB(uuid_str(user_id));
    int64_t expired = 0;
    const DbValue *row;
    int r = db_query_one(tx, &credit_statements[CREDIT_GET], &id, arena, &row);

    if (r == DB_E_NONE) {
        *ret_state = (CreditState){0};
        return 0;
    }
    if (r == 0) {
        r = sum_expired(tx, user_id, now_us, arena, &expired);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_state = (CreditState){row[0].integer, row[0].integer - row[1].integer + expired};
    return 0;
}

int credit_store_add(DbTx *tx, const Uuid *user_id, int64_t amount, int64_t now_us, Arena *arena) {
    CreditState state;
    int r = credit_store_get(tx, user_id, now_us, arena, &state);

    if (r < 0) {
        return err_trace(r);
    }
    if (amount < -CREDIT_BALANCE_MAX || state.available + amount < 0) {
        return CREDIT_E_LITTLE;
    }
    if (amount > CREDIT_BALANCE_MAX || state.balance + amount > CREDIT_BALANCE_MAX) {
        return CREDIT_E_MUCH;
    }
    return run(tx, CREDIT_ADD, (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(amount)}, NULL);
}

/* Removes expired reservations and takes them out of `reserved`. */
static int give_back_expired(DbTx *tx, const Uuid *user_id, int64_t now_us, Arena *arena) {
    DbValue id = DB_BLOB(uuid_str(user_id));
    int64_t expired;
    int r = sum_expired(tx, user_id, now_us, arena, &expired);

    if (r < 0) {
        return err_trace(r);
    }
    if (expired == 0) {
        return 0;
    }
    r = run(tx, RESERVATION_EXPIRE, (DbValue[]){id, DB_INT(now_us)}, NULL);
    if (r == 0) {
        r = run(tx, CREDIT_SETTLE, (DbValue[]){DB_INT(0), DB_INT(expired), id}, NULL);
    }
    return err_trace(r);
}

int credit_store_reserve(DbTx *tx, const Uuid *user_id, const Uuid *reservation_id, int64_t amount,
                         int64_t now_us, int64_t expires_us, Arena *arena) {
    DbValue id = DB_BLOB(uuid_str(user_id));
    uint64_t changed;
    int r = give_back_expired(tx, user_id, now_us, arena);

    if (r == 0) {
        r = run(
            tx, RESERVATION_ADD,
            (DbValue[]){id, DB_BLOB(uuid_str(reservation_id)), DB_INT(amount), DB_INT(expires_us)},
            &changed);
    }
    if (r != 0 || changed == 0) {
        return err_trace(r); /* 0: it was made before, and holds the amount already */
    }
    r = run(tx, CREDIT_RESERVE, (DbValue[]){DB_INT(amount), id, DB_INT(amount)}, &changed);
    if (r < 0) {
        return err_trace(r);
    }
    return changed == 1 ? 0 : CREDIT_E_LITTLE;
}

int credit_store_settle(DbTx *tx, const Uuid *user_id, const Uuid *reservation_id, bool charge,
                        Arena *arena) {
    DbValue id = DB_BLOB(uuid_str(user_id));
    const DbValue *row;
    int r = db_query_one(tx, &credit_statements[RESERVATION_TAKE],
                         (DbValue[]){id, DB_BLOB(uuid_str(reservation_id))}, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? CREDIT_E_GONE : err_trace(r < 0 ? r : -EIO);
    }
    return run(tx, CREDIT_SETTLE,
               (DbValue[]){DB_INT(charge ? row[0].integer : 0), DB_INT(row[0].integer), id}, NULL);
}
