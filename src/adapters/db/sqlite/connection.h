/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A connection to the file, the statements it has prepared, and transactions on it. */

#include "core/ports/db.h"

#include <sqlite3.h>

typedef struct CachedStatement {
    const DbStatement *statement; /* NULL: a free place */
    sqlite3_stmt *handle;
} CachedStatement;

/* Used by one thread at a time. */
typedef struct Connection {
    struct Connection *next; /* in the pool of readers */
    sqlite3 *handle;
    bool read_only;
    CachedStatement *cache; /* a hash table by address, a power of two of places */
    size_t cache_size, n_cached;
} Connection;

/* The writing connection is opened first: it makes the file what it should be. */
int connection_open(const char *path, bool read_only, uint32_t busy_timeout_ms,
                    Connection **ret_connection);
Connection *connection_free(Connection *connection);
DEFINE_CLEANUP(Connection *, connection_free)

/* Our own SQL without parameters and rows: BEGIN, COMMIT, ... 0 or a fault. */
int connection_run(Connection *connection, const char *sql);
/* Whether a transaction is open: the engine ends it by itself after some faults. */
bool connection_in_transaction(const Connection *connection);

/* What a result of SQLite's is here: 0, a condition of the port's, or a fault. */
int connection_error(const Connection *connection, int result);

/*
 * The statement prepared on this connection, now or before; stays the connection's. -EINVAL when
 * it is wrong SQL or has other parameters and columns than it says.
 */
int connection_prepare(Connection *connection, const DbStatement *statement,
                       sqlite3_stmt **ret_handle);

/* A work's view of a connection. */
typedef struct SqliteTx {
    DbTx tx;
    Connection *connection;
    bool spoilt; /* a statement failed: nothing of it may be kept */
} SqliteTx;

/* Brings the whole log into the file and empties it; -EBUSY: others took too long. */
int connection_checkpoint(Connection *connection);

/* The functions of DbImpl that work on a transaction. */
int sqlite_tx_exec(DbTx *tx, const DbStatement *statement, const DbValue *params,
                   uint64_t *ret_changed);
int sqlite_tx_query(DbTx *tx, const DbStatement *statement, const DbValue *params, size_t rows_max,
                    Arena *arena, DbRows *ret_rows);
int sqlite_tx_script(DbTx *tx, const char *sql);

/* Runs the work on the connection; what it returned, or -ECANCELED for a 0 of a spoilt one. */
int sqlite_tx_run(const DbImpl *impl, Connection *connection, DbWork *work, void *userdata);
