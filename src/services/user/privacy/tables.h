/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the rows of a user are: every table with a column user_id. Whoever adds one adds it here
 * too (a test compares this list with db/migrations), so that an erasure forgets none.
 */

#include "base/uuid.h"
#include "core/ports/db.h"

typedef struct PrivacyTable {
    const char *name;
    DbStatement erase; /* deletes all rows of one user */
} PrivacyTable;

#define PRIVACY_TABLES_MAX 64

/* The user's key is the last. */
extern const PrivacyTable privacy_tables[];
extern const size_t privacy_tables_len;

/* Prepares the statements, as db_check(). */
int privacy_tables_check(Db *db, const char **reterr_name);

/* Deletes all rows of a user, also the key. ret_n_rows: how many of each table, in its order. */
int privacy_tables_erase(DbTx *tx, const Uuid *user_id, uint64_t ret_n_rows[PRIVACY_TABLES_MAX]);
