/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the rows of a user leave a table (docs/decisions/0020). Whoever owns a table with a column
 * user_id lists it in a table of these; a test compares the lists with db/migrations, so that an
 * erasure forgets none.
 */

#include "base/uuid.h"
#include "core/ports/db.h"

#include <jansson.h>

typedef struct ErasedTable {
    const char *name;
    DbStatement all;   /* rows of this user */
    DbStatement batch; /* so many of them, in the order of the primary key, if there are more; sql
                        * NULL: nobody has many */
} ErasedTable;

#define ERASED_TABLE_BATCH 2000

#define ERASED_ALL(table)                                                                          \
    { "erase_" table, "DELETE FROM " table " WHERE user_id = ?", 1, 0 }
#define ERASED_TABLE(table)                                                                        \
    {                                                                                              \
        table, ERASED_ALL(table), {                                                                \
            0                                                                                      \
        }                                                                                          \
    }

/* `key`: the columns that follow user_id in its primary key. */
#define ERASED_TABLE_IN_BATCHES(table, key)                                                        \
    {                                                                                              \
        table, ERASED_ALL(table), {                                                                \
            "erase_some_" table,                                                                   \
                "DELETE FROM " table " WHERE user_id = ? AND (" key ") <= (SELECT " key            \
                " FROM " table " WHERE user_id = ? ORDER BY " key " LIMIT 1 OFFSET ?)",            \
                3, 0                                                                               \
        }                                                                                          \
    }

/* Prepares the statements, as db_check(). */
int erased_tables_check(Db *db, const ErasedTable *tables, size_t n, const char **reterr_name);

/* In the caller's transaction: all rows of the user, or a batch of them, so that it is short.
 * *ret_more: there are more. */
int erased_table_erase(DbTx *tx, const ErasedTable *table, const Uuid *user_id, uint64_t *ret_n,
                       bool *ret_more);

/* Adds to what `rows` says of a table: {"user_account": 1, ...}. */
void erased_rows_add(json_t *rows, const char *table, uint64_t n);
