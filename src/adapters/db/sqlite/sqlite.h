/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The database port on SQLite, the embedded default: one file, one writer, many readers.
 *
 * The file is in WAL mode with synchronous=FULL, so a write that was acknowledged is on disk. Works
 * that write take turns on one connection; those that wait for a turn share one commit, and with it
 * one fsync, each in a savepoint of its own (writer.c). Reading works run beside them, each on a
 * connection of a bounded pool and in a snapshot of its own. There are no replicas: tokens are
 * empty.
 */

#include "core/ports/db.h"

typedef struct DbSqliteOptions {
    const char *path;         /* of the file; -wal and -shm lie beside it */
    bool must_exist;          /* else it is created, readable by this user alone */
    unsigned readers_max;     /* connections for reading; 0: 8 */
    uint32_t wait_timeout_ms; /* for a turn, a connection or another process; 0: 5000 */
} DbSqliteOptions;

/*
 * 0; -ENOENT when it must exist and does not; or a fault with a whole sentence, in the arena, in
 * *reterr_text. Strings of the options are copied.
 */
int db_sqlite_open(const DbSqliteOptions *options, Arena *arena, Db **ret_db,
                   const char **reterr_text);

/*
 * Copies a database, which may be in use, to a file that is not there yet, readable by this user
 * alone: one snapshot. 0, -EEXIST, or a fault, which may leave a part of the copy.
 */
int db_sqlite_copy(const char *from, const char *to);
