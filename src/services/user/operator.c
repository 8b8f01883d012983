/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/operator.h"

#include "base/clock.h"
#include "base/error.h"
#include "services/user/text.h"

typedef struct Order {
    const Vault *vault;
    uint8_t email_hash[VAULT_HASH_LEN];
    Act *act;
} Order;

static int carry_out(DbTx *tx, void *userdata) {
    Order *order = userdata;
    int r = account_store_find_id(tx, order->email_hash, order->act->arena, &order->act->user_id);

    if (r != 0) {
        return r < 0 ? err_trace(r) : ACT_E_NONE;
    }
    return act_do(tx, order->vault, order->act);
}

static const char *explain(int r, const char *email, Arena *arena) {
    switch (r) {
    case ACT_E_NONE:
        return arena_printf(arena, "nobody has an account with the address %s", email);
    case ACT_E_LITTLE:
        return "less than that is left";
    case ACT_E_MUCH:
        return "nobody can have that many credits";
    case ACT_E_ERASING:
        return "the account's owner has asked for its erasure";
    default:
        return arena_printf(arena, "the database says: %s", strerrordesc_np(r < 0 ? -r : EIO));
    }
}

int user_operator_do(Db *db, MasterKeyRing *master_key, const char *email, Act *act, Arena *arena,
                     const char **reterr_text) {
    _cleanup_(vault_freep) Vault *vault = NULL;
    Order order = {.act = act};
    const char *address;
    int r;

    if (email_canonical(str_from(email), arena, &address) < 0) {
        *reterr_text = arena_printf(arena, "'%s' is no e-mail address", email);
        return -EINVAL;
    }
    r = vault_new(db, master_key, &vault);
    if (r != 0) {
        *reterr_text = r == VAULT_E_BROKEN ? "the master key is not the one that this database was "
                                             "made with; give the right one with --master-key"
                                           : explain(r, address, arena);
        return r < 0 ? err_trace(r) : -EINVAL;
    }
    act->by = "operator";
    act->now_us = clock_unix_us();
    act->arena = arena;
    order.vault = vault;
    vault_hash_email(vault, str_from(address), order.email_hash);
    r = db_write(db, carry_out, &order, NULL);
    if (r != 0) {
        *reterr_text = explain(r, address, arena);
    }
    return r > 0 ? -EINVAL : err_trace(r);
}
