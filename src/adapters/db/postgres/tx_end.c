/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/tx.h"

#include "adapters/db/postgres/sqlstate.h"
#include "adapters/db/postgres/values.h"
#include "base/error.h"

/* Where the log of the primary ends, and its time line: the first 8 digits of a segment's name. */
#define TOKEN_SQL                                                                                  \
    "SELECT (pg_current_wal_lsn() - '0/0')::bigint,"                                               \
    " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint"

static int send_token(PgConnection *connection) {
    int r = 0;

    if (!connection->token_prepared) {
        r = pg_connection_send_prepare(connection, "token", TOKEN_SQL);
    }
    return r < 0 ? r : pg_connection_send_execute(connection, "token");
}

/*
 * The token in the results from `first` on. An engine without these functions gives the empty one;
 * where it got lost after the commit, only the primary is sure to show what was written.
 */
static void read_token(PgConnection *connection, const Results *results, size_t first,
                       DbToken *ret_token) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const PGresult *last;
    DbRows rows;

    *ret_token = DB_TOKEN_PRIMARY;
    for (size_t i = first; i < results->n; i++) {
        if (sqlstate_is(results->at[i], "42883") || sqlstate_is(results->at[i], "0A000") ||
            sqlstate_is(results->at[i], "42501")) {
            connection->no_tokens = true;
            *ret_token = (DbToken){0};
            return;
        }
    }
    last = results->n > first ? results->at[results->n - 1] : NULL;
    if (!last || PQresultStatus(last) != PGRES_TUPLES_OK ||
        values_decode(last, 1, arena, &rows) < 0 || rows.n_rows != 1 || rows.n_columns != 2 ||
        rows.values[0].type != DB_TYPE_INT || rows.values[1].type != DB_TYPE_INT) {
        connection->broken = true; /* half prepared, it would fail each time */
        return;
    }
    connection->token_prepared = true;
    wal_position_format((WalPosition){.timeline = (uint32_t)rows.values[1].integer,
                                      .lsn = (uint64_t)rows.values[0].integer},
                        ret_token);
}

/*
 * What the answer to COMMIT says. A warning with it means that the promise does not hold: the wait
 * for a synchronous standby was cancelled (by the statement's time-out, or by hand), so the write
 * is on this server alone and may be lost with it.
 */
static int read_commit(PgTx *tx, const PGresult *result) {
    int r;

    if (!result) {
        return -EREMOTEIO;
    }
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        return strcmp(PQcmdStatus((PGresult *)result), "COMMIT") != 0 ? -EIO
               : tx->connection->warned                               ? -EREMOTEIO
                                                                      : 0;
    }
    switch (sqlstate_read(result, tx->read_only, &r)) {
    case VERDICT_LOST:
        tx->connection->broken = true;
        return -EREMOTEIO;
    case VERDICT_CONFLICT:
        if (sqlstate_is(result, "40003")) { /* statement completion unknown */
            return -EREMOTEIO;
        }
        tx->state = TX_CONFLICT;
        return -EBUSY;
    case VERDICT_REFUSED:
        break;
    }
    tx->state = TX_REFUSED;
    return r < 0 ? r : -EINVAL; /* a deferred constraint: nothing that `work` could handle */
}

int pg_tx_commit(PgTx *tx, DbToken *ret_token) {
    PgConnection *connection = tx->connection;
    _cleanup_(results_done) Results results = RESULTS_INIT;
    bool ask = ret_token && !connection->no_tokens;
    int r = 0;

    if (ret_token) {
        *ret_token = (DbToken){0};
    }
    if (!tx->begun && !ask) {
        return 0;
    }
    connection->warned = false;
    if (tx->begun) {
        r = pg_connection_send(connection, "COMMIT");
    }
    r = r < 0 || !ask ? r : send_token(connection);
    r = r < 0 ? r : pg_connection_send_sync(connection);
    if (r == 0) {
        (void)pg_connection_collect(connection, 1, tx->timeout_ms, &results);
    }
    if (tx->begun) {
        r = read_commit(tx, results.n > 0 ? results.at[0] : NULL);
    }
    if (r == 0 && ask) {
        read_token(connection, &results, tx->begun ? 1 : 0, ret_token);
    }
    return err_trace(r);
}

void pg_tx_end(PgTx *tx, const char *how) {
    PgConnection *connection = tx->connection;

    if (!tx->begun || connection->broken) {
        return;
    }
    if (pg_connection_send(connection, how) == 0 && pg_connection_send_sync(connection) == 0) {
        (void)pg_connection_leave(connection);
    }
}
