/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table sync_usage: how many files a library has, and how many bytes they take or may take.
 * What it counts are the rows of sync_blob and sync_upload; whoever changes these calls usage_add()
 * in the same transaction, as the last thing in it. It is one row for all that a user does at once:
 * taken last, no two transactions wait for each other in a circle.
 *
 * Calls run in a transaction of the caller's. 0 or a fault. Thread-safe.
 */

#include "base/uuid.h"
#include "core/ports/db.h"

typedef struct Usage {
    int64_t files, bytes; /* of sync_blob */
    int64_t reserved;     /* bytes, by uploads under way */
} Usage;

bool usage_equal(const Usage *a, const Usage *b);

/* The statements, for db_check(). */
extern const DbStatement usage_statements[];
extern const size_t usage_statements_len;

/* All zero when there is no row. */
int usage_get(DbTx *tx, const Uuid *user_id, Arena *arena, Usage *ret_usage);

/* Adds each; those that are negative go. All zero: does nothing. */
int usage_add(DbTx *tx, const Uuid *user_id, const Usage *change);

/* What the row should say: reads all rows that it counts. */
int usage_count(DbTx *tx, const Uuid *user_id, Arena *arena, Usage *ret_usage);

/* Has the row say what usage_count() gives, unless it does. */
int usage_remake(DbTx *tx, const Uuid *user_id, Arena *arena);

/* How many bytes more a library may take; `quota` 0: without a limit. */
int usage_left(DbTx *tx, const Uuid *user_id, uint64_t quota, Arena *arena, uint64_t *ret_left);
