/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One run of a transaction on one connection. BEGIN goes out with the first statement, so a
 * transaction of n statements takes n round trips and one more for COMMIT, with which the token is
 * asked for. A reading one does not wait for the answer to its COMMIT: it cannot fail, as a
 * transaction declared READ ONLY is never the one that PostgreSQL's serialization check chooses
 * once its reads are done.
 */

#include "adapters/db/postgres/connection.h"

typedef enum TxState {
    TX_GOOD,
    TX_REFUSED,  /* a statement failed: can only be rolled back */
    TX_CONFLICT, /* to be run again */
    TX_LOST,     /* likewise, on another connection */
    TX_BEHIND,   /* the replica has not replayed `after` yet */
    TX_UNUSABLE, /* the server is no replica that says how far it is */
} TxState;

typedef struct PgTx {
    DbTx base;
    PgConnection *connection;
    bool read_only;
    const WalPosition *after; /* not NULL: on a replica */
    unsigned timeout_ms;      /* for an answer */
    bool begun;
    TxState state;
    int r; /* what the statement returned that changed the state; later ones -ECANCELED */
} PgTx;

int pg_tx_exec(DbTx *base, const DbStatement *statement, const DbValue *params,
               uint64_t *ret_changed);
int pg_tx_query(DbTx *base, const DbStatement *statement, const DbValue *params, size_t rows_max,
                Arena *arena, DbRows *ret_rows);
int pg_tx_script(DbTx *base, const char *sql);

/*
 * COMMIT of a writing transaction, and its token when `ret_token` is not NULL. 0, it is on disk;
 * -EREMOTEIO, not known; or a fault with the transaction's state changed: it is not in effect.
 */
int pg_tx_commit(PgTx *tx, DbToken *ret_token);
/* Ends a reading transaction, or one that is not to be in effect, without waiting. */
void pg_tx_end(PgTx *tx, const char *how);
