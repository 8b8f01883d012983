/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The tables user_credit and user_reservation: what users may spend, in hundredths of a credit, and
 * what is set aside for work under way. `reserved` is the sum of the reservations' rows. One that
 * has expired (its process died) counts as given back from that moment on; its row goes with the
 * next reservation. Calls run in a transaction of the caller's, and serializable ones keep sums
 * right: two cannot spend the same credit.
 */

#include "base/uuid.h"
#include "core/ports/db.h"

/* Keeps sums far from overflow. */
#define CREDIT_BALANCE_MAX 100000000000000ll

enum {
    CREDIT_E_LITTLE = 1, /* less is left than that */
    CREDIT_E_MUCH,       /* the balance would be above CREDIT_BALANCE_MAX */
    CREDIT_E_GONE,       /* no such reservation */
};

extern const DbStatement credit_statements[];
extern const size_t credit_statements_len;

typedef struct CreditState {
    int64_t balance, available;
} CreditState;

/* Zeros for a user that never had any. */
int credit_store_get(DbTx *tx, const Uuid *user_id, int64_t now_us, Arena *arena,
                     CreditState *ret_state);

/* Adds, or takes away when negative: 0, CREDIT_E_LITTLE (nothing is changed) or CREDIT_E_MUCH. */
int credit_store_add(DbTx *tx, const Uuid *user_id, int64_t amount, int64_t now_us, Arena *arena);

/* Sets `amount` aside until `expires_us`; once for an id. 0 or CREDIT_E_LITTLE. */
int credit_store_reserve(DbTx *tx, const Uuid *user_id, const Uuid *reservation_id, int64_t amount,
                         int64_t now_us, int64_t expires_us, Arena *arena);

/* Ends a reservation, charged or given back, once. 0 or CREDIT_E_GONE. */
int credit_store_settle(DbTx *tx, const Uuid *user_id, const Uuid *reservation_id, bool charge,
                        Arena *arena);
