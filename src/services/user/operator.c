/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/operator.h"

#include "base/clock.h"
#include "base/error.h"
#include "services/user/text.h"

#define DAY_US (86400 * 1000000LL)

enum {
    ORDER_E_LAST_ADMIN = 300,
};

typedef struct Order {
    Vault *vault;
    uint8_t email_hash[VAULT_HASH_LEN];
    bool by_id; /* user_id was given */
    Uuid user_id;
    Arena *arena;
    Act *act; /* one of the two */
    ErasureRequest *erasure;
} Order;

static void order_done(Order *order) {
    if (order->vault) {
        vault_free(order->vault);
    }
}

static int carry_out(DbTx *tx, void *userdata) {
    Order *order = userdata;
    int r = order->by_id
                ? 0
                : account_store_find_id(tx, order->email_hash, order->arena, &order->user_id);

    if (r != 0) {
        return r < 0 ? err_trace(r) : ACT_E_NONE;
    }
    if (order->act) {
        order->act->user_id = order->user_id;
        return act_do(tx, order->vault, order->act);
    }
    order->erasure->user_id = order->user_id;
    r = erasure_request(tx, order->vault, order->erasure);
    return r == ERASURE_E_NONE ? ACT_E_NONE : r == ERASURE_E_LAST_ADMIN ? ORDER_E_LAST_ADMIN : r;
}

static const char *explain(int r, const char *who, Arena *arena) {
    switch (r) {
    case ACT_E_NONE:
        return arena_printf(arena, "there is no account %s", who);
    case ACT_E_LITTLE:
        return "less than that is left";
    case ACT_E_MUCH:
        return "nobody can have that many credits";
    case ACT_E_ERASING:
        return "the account's owner has asked for its erasure";
    case ORDER_E_LAST_ADMIN:
        return arena_printf(arena, "%s is the only admin: make somebody else one before", who);
    default:
        return arena_printf(arena, "the database says: %s", strerrordesc_np(r < 0 ? -r : EIO));
    }
}

/* Whom it is about, by id or address. */
static int start(Db *db, MasterKeyRing *master_key, const char *who, Order *order,
                 const char **reterr_text) {
    const char *address = "";
    int r;

    order->by_id = uuid_parse(str_from(who), &order->user_id) == 0;
    if (!order->by_id && email_canonical(str_from(who), order->arena, &address) < 0) {
        *reterr_text =
            arena_printf(order->arena, "'%s' is neither an e-mail address nor an id", who);
        return -EINVAL;
    }
    r = vault_new(db, master_key, &order->vault);
    if (r != 0) {
        *reterr_text = r == VAULT_E_BROKEN ? "the master key is not the one that this database was "
                                             "made with; give the right one with --master-key"
                                           : explain(r, who, order->arena);
        return r < 0 ? err_trace(r) : -EINVAL;
    }
    vault_hash_email(order->vault, str_from(address), order->email_hash);
    return 0;
}

static int finish(Db *db, Order *order, const char *who, const char **reterr_text) {
    int r = db_write(db, carry_out, order, NULL);

    if (r != 0) {
        *reterr_text = explain(r, who, order->arena);
    }
    return r > 0 ? -EINVAL : err_trace(r);
}

int user_operator_do(Db *db, MasterKeyRing *master_key, const char *who, Act *act, Arena *arena,
                     const char **reterr_text) {
    _cleanup_(order_done) Order order = {.act = act, .arena = arena};
    int r = start(db, master_key, who, &order, reterr_text);

    if (r < 0) {
        return err_trace(r);
    }
    act->by = "operator";
    act->now_us = clock_unix_us();
    act->arena = arena;
    return finish(db, &order, who, reterr_text);
}

int user_operator_erase(Db *db, MasterKeyRing *master_key, const char *who, uint64_t days,
                        Arena *arena, ErasureRequest *ret_request, const char **reterr_text) {
    ErasureRequest request = {
        .now_us = clock_unix_us(), .event = {.subject = "by operator"}, .arena = arena};
    _cleanup_(order_done) Order order = {.erasure = &request, .arena = arena};
    int r = start(db, master_key, who, &order, reterr_text);

    request.erase_us = request.now_us + (int64_t)days * DAY_US;
    if (r == 0) {
        r = finish(db, &order, who, reterr_text);
    }
    if (r == 0) {
        *ret_request = request;
    }
    return err_trace(r);
}
