/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The schema, step by step: db/migrations/NNNN_name.sql, in the binary since it was built. Forward
 * only; each in a transaction, together with the row that says it was applied (table
 * schema_migration: number, name, SHA-256 of the text, time). Processes that start at once take
 * turns by updating the one row of schema_migration_lock, which every engine makes them do.
 *
 * The SQL is the port's one dialect; where engines part, a migration is a pair of files,
 * NNNN_name.sqlite.sql and NNNN_name.postgres.sql. A line
 *
 *   -- @partition by hash (user_id)
 *
 * before CREATE TABLE makes that table partitioned on PostgreSQL, and does nothing on SQLite. The
 * checksum is that of the text as written.
 */

#include "core/ports/db.h"

typedef struct MigrationText {
    const char *sql;
    const char *sha256; /* of sql, in hex */
} MigrationText;

typedef struct Migration {
    unsigned number; /* from 1 on, without a gap */
    const char *name;
    MigrationText texts[_DB_DIALECT_MAX];
} Migration; /* a table ends with number 0 */

extern const Migration migrations_embedded[];

/* Between PARTITION BY HASH tables and their partitions there is one name a partition. */
#define MIGRATION_PARTITIONS_MAX 1024

/*
 * The migration's text for that engine; `partitions` 0: partitioned tables are made like others,
 * for engines that place rows by themselves. -EINVAL, with the static reason, for a directive that
 * is unknown or stands before something else.
 */
int migration_sql(const Migration *migration, DbDialect dialect, unsigned partitions, Buf *out,
                  const char **reterr_text);

typedef struct MigrationEntry {
    const Migration *migration;
    int64_t applied_us; /* since 1970 UTC; 0: not yet */
} MigrationEntry;

typedef struct MigrationList {
    MigrationEntry *entries; /* one for each of the table, in its order; in the arena */
    size_t n_entries, n_pending;
} MigrationList;

enum {
    /* What the database says was applied is not what this program knows: another text, a gap, or
     * a migration of a newer version. */
    MIGRATIONS_E_MISMATCH = 1,
};

/*
 * Both: 0, MIGRATIONS_E_MISMATCH or a fault, the latter two with a whole sentence, in the arena, in
 * *reterr_text. Reading the list changes nothing.
 */
int migrations_list(Db *db, const Migration *migrations, Arena *arena, MigrationList *ret_list,
                    const char **reterr_text);

/* Applies what is missing, in order, and counts what it applied itself. Stops at the first that
 * fails; those before stay. */
int migrations_up(Db *db, const Migration *migrations, unsigned partitions, Arena *arena,
                  size_t *ret_n_applied, const char **reterr_text);
