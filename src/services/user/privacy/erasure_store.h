/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table user_erasure, and whose time has come. Calls run in a transaction of the caller's. */

#include "base/uuid.h"
#include "core/ports/db.h"

extern const DbStatement erasure_statements[];
extern const size_t erasure_statements_len;

/* An erasure that was asked for before keeps its time. */
int erasure_store_put(DbTx *tx, const Uuid *user_id, int64_t asked_us);
int erasure_store_remove(DbTx *tx, const Uuid *user_id);

/* Up to `max` users to be erased by `now_us`, those that wait for longest first. */
int erasure_store_due(DbTx *tx, int64_t now_us, size_t max, Arena *arena, Uuid **ret_ids,
                      size_t *ret_n);

enum {
    ERASURE_STORE_E_NONE = 1, /* no such user, or not to be erased */
};

/* When it is due and when it was asked for; needs no key. 0 or ERASURE_STORE_E_NONE. */
int erasure_store_get(DbTx *tx, const Uuid *user_id, Arena *arena, int64_t *ret_erase_us,
                      int64_t *ret_asked_us);

/* Nobody can call it off any more: locks the account, if it is due. 0 or ERASURE_STORE_E_NONE. */
int erasure_store_begin(DbTx *tx, const Uuid *user_id, int64_t now_us);

/* Makes an account due at `erase_us` whose key is gone, so that nothing of it can be read. 0 or
 * ERASURE_STORE_E_NONE: there is no such account, or there is a key. */
int erasure_store_put_keyless(DbTx *tx, const Uuid *user_id, int64_t erase_us);

/* Whether any other account is an active admin's. */
int erasure_store_other_admin(DbTx *tx, const Uuid *user_id, Arena *arena, bool *ret_is);
