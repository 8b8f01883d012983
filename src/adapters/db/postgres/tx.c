/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/tx.h"

#include "adapters/db/postgres/rewrite.h"
#include "adapters/db/postgres/sqlstate.h"
#include "adapters/db/postgres/values.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* What a replica says of itself: where it is, on which time line, whether it is a replica. */
#define REPLAY_SQL                                                                                 \
    "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint,"                                           \
    " GREATEST((SELECT received_tli FROM pg_stat_wal_receiver),"                                   \
    " (SELECT timeline_id FROM pg_control_checkpoint()))::bigint, pg_is_in_recovery()"

static int fail(PgTx *tx, TxState state, int r) {
    tx->state = state;
    tx->r = r;
    return r;
}

/* The first error among the results decides. */
static int read_results(PgTx *tx, const Results *results, const char *name) {
    for (size_t i = 0; i < results->n; i++) {
        static const TxState states[] = {[VERDICT_REFUSED] = TX_REFUSED,
                                         [VERDICT_CONFLICT] = TX_CONFLICT,
                                         [VERDICT_LOST] = TX_LOST};
        const PGresult *result = results->at[i];
        ExecStatusType status = PQresultStatus(result);
        Verdict verdict;
        int r;

        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            continue;
        }
        if (status == PGRES_PIPELINE_ABORTED || status == PGRES_BAD_RESPONSE) {
            /* What went wrong was in an answer that was owed: the server ended the session. */
            tx->connection->broken = true;
            return fail(tx, TX_LOST, -ENOTCONN);
        }
        if (status != PGRES_FATAL_ERROR) { /* COPY, or an empty statement */
            return fail(tx, TX_REFUSED, -EINVAL);
        }
        verdict = sqlstate_read(result, tx->read_only, &r);
        /* The message may quote a value, except where it is about the statement's own text. */
        log_debug("statement failed", LOG_STR("statement", name),
                  LOG_STR("sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE)),
                  LOG_STR("error", sqlstate_is(result, "42601") || sqlstate_is(result, "42P01") ||
                                           sqlstate_is(result, "42703")
                                       ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
                                       : ""));
        tx->connection->broken |= verdict == VERDICT_LOST;
        return fail(tx, states[verdict], r);
    }
    return 0;
}

/* Sends the sync, and reads what was queued before it. */
static int settle(PgTx *tx, unsigned n_syncs, Results *results, const char *name) {
    int r = pg_connection_send_sync(tx->connection), failed;

    if (r == 0) {
        r = pg_connection_collect(tx->connection, n_syncs, tx->timeout_ms, results);
    }
    failed = read_results(tx, results, name);
    if (failed != 0) {
        return failed;
    }
    return r < 0 ? fail(tx, TX_LOST, -ENOTCONN) : 0;
}

static bool must_ask_replica(const PgTx *tx) {
    const WalPosition replayed = tx->connection->replayed;

    return tx->after && (replayed.timeline == 0 || !wal_position_covers(replayed, *tx->after));
}

/*
 * Queues how a transaction begins. On a replica whose last known position does not do, that is
 * asked before, in a transaction of its own: the snapshot must be taken after the answer.
 */
static int send_begin(PgTx *tx, unsigned *ret_n_syncs) {
    PgConnection *connection = tx->connection;
    int r = 0;

    *ret_n_syncs = 0;
    if (must_ask_replica(tx)) {
        if (!connection->replay_prepared) {
            r = pg_connection_send_prepare(connection, "replay", REPLAY_SQL);
        }
        r = r < 0 ? r : pg_connection_send_execute(connection, "replay");
        r = r < 0 ? r : pg_connection_send_sync(connection);
        *ret_n_syncs = 1;
    }
    if (r < 0) {
        return r;
    }
    return pg_connection_send(connection,
                              tx->after       ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                              : tx->read_only ? "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"
                                              : "BEGIN ISOLATION LEVEL SERIALIZABLE");
}

static int read_replay(PgTx *tx, const Results *results) {
    PgConnection *connection = tx->connection;
    const PGresult *answer = NULL;
    _cleanup_(arena_freep) Arena *arena = NULL;
    DbRows rows;

    for (size_t i = 0; i < results->n && i < 2 && !answer; i++) {
        answer = PQresultStatus(results->at[i]) == PGRES_TUPLES_OK ? results->at[i] : NULL;
    }
    arena = arena_new();
    if (!answer || values_decode(answer, 1, arena, &rows) < 0 || rows.n_rows != 1 ||
        rows.n_columns != 3 || rows.values[0].type != DB_TYPE_INT ||
        rows.values[1].type != DB_TYPE_INT || rows.values[2].integer != 1) {
        connection->broken = true;
        return fail(tx, TX_UNUSABLE, -ENOTCONN);
    }
    connection->replay_prepared = true;
    connection->replayed = (WalPosition){.timeline = (uint32_t)rows.values[1].integer,
                                         .lsn = (uint64_t)rows.values[0].integer};
    return must_ask_replica(tx) ? fail(tx, TX_BEHIND, -EBUSY) : 0;
}

/* After send_begin() and more. */
static int settle_begun(PgTx *tx, unsigned n_syncs, Results *results, const char *name) {
    PgConnection *connection = tx->connection;
    bool asked = must_ask_replica(tx);
    int r = settle(tx, n_syncs + 1, results, name);

    /* Whether BEGIN itself was refused does not matter: ROLLBACK does no harm then. */
    tx->begun = true;
    if (asked && !connection->broken) {
        int told = read_replay(tx, results);
        if (told < 0) {
            return told;
        }
    }
    return r;
}

/* Prepares it on this connection if it is not, which takes a round trip. */
static int prepare(PgTx *tx, const DbStatement *statement, const Prepared **ret_prepared) {
    _cleanup_(results_done) Results results = RESULTS_INIT;
    unsigned n_syncs = 0;
    bool first = !tx->begun;
    int r = 0;

    *ret_prepared = pg_connection_find(tx->connection, statement);
    if (*ret_prepared) {
        return 0;
    }
    if (first) {
        r = send_begin(tx, &n_syncs);
    }
    r = r < 0 ? r : pg_connection_send_statement(tx->connection, statement, true);
    if (r == -EINVAL) {
        /* Nothing of it was queued, but BEGIN may have been. */
        tx->connection->broken = first;
        return fail(tx, TX_REFUSED, -EINVAL);
    }
    if (r < 0) {
        return fail(tx, TX_LOST, -ENOTCONN);
    }
    r = first ? settle_begun(tx, n_syncs, &results, statement->name)
              : settle(tx, 1, &results, statement->name);
    if (r != 0) {
        return r;
    }
    r = pg_connection_add(tx->connection, statement, results.at[results.n - 1], ret_prepared);
    return r < 0 ? fail(tx, TX_REFUSED, r) : 0;
}

/* A prepared statement's plan is soon one for any values, with guesses instead of statistics. */
static bool send_with(PgConnection *connection, const DbStatement *statement,
                      const Prepared *prepared, const Params *params) {
    _cleanup_(buf_done) Buf sql = BUF_INIT;
    char name[16];
    unsigned n;

    if (statement->by_values) {
        return postgres_rewrite(statement->sql, &sql, &n) == 0 &&
               PQsendQueryParams(connection->pg, buf_cstr(&sql), (int)n, prepared->types,
                                 params->values, params->lengths, params->formats, 1);
    }
    snprintf(name, sizeof(name), "s%u", prepared->number);
    return PQsendQueryPrepared(connection->pg, name, (int)statement->n_params, params->values,
                               params->lengths, params->formats, 1);
}

/* The results end with the statement's own. */
static int run(PgTx *tx, const DbStatement *statement, const DbValue *values, Results *results) {
    PgConnection *connection = tx->connection;
    const Prepared *prepared;
    Params params;
    unsigned n_syncs = 0;
    bool first;
    int r;

    if (tx->state != TX_GOOD) {
        return -ECANCELED;
    }
    r = prepare(tx, statement, &prepared);
    if (r != 0) {
        return r;
    }
    r = params_encode(prepared->types, statement->n_params, values, &params);
    if (r < 0) {
        return fail(tx, TX_REFUSED, r);
    }
    first = !tx->begun;
    if (first && send_begin(tx, &n_syncs) < 0) {
        return fail(tx, TX_LOST, -ENOTCONN);
    }
    if (!send_with(connection, statement, prepared, &params)) {
        connection->broken = true;
        return fail(tx, TX_LOST, -ENOTCONN);
    }
    return first ? settle_begun(tx, n_syncs, results, statement->name)
                 : settle(tx, 1, results, statement->name);
}

int pg_tx_exec(DbTx *base, const DbStatement *statement, const DbValue *params,
               uint64_t *ret_changed) {
    _cleanup_(results_done) Results results = RESULTS_INIT;
    int r;

    assert(statement->n_columns == 0);
    r = run((PgTx *)base, statement, params, &results);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (ret_changed) {
        Str n = str_from(PQcmdTuples(results.at[results.n - 1]));
        *ret_changed = 0;
        if (n.len > 0 && str_to_u64(n, ret_changed) < 0) {
            return err_trace(fail((PgTx *)base, TX_REFUSED, -EBADMSG));
        }
    }
    return 0;
}

int pg_tx_query(DbTx *base, const DbStatement *statement, const DbValue *params, size_t rows_max,
                Arena *arena, DbRows *ret_rows) {
    _cleanup_(results_done) Results results = RESULTS_INIT;
    int r;

    assert(statement->n_columns > 0);
    r = run((PgTx *)base, statement, params, &results);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = values_decode(results.at[results.n - 1], rows_max, arena, ret_rows);
    return r < 0 ? err_trace(fail((PgTx *)base, TX_REFUSED, r)) : 0;
}

int pg_tx_script(DbTx *base, const char *sql) {
    PgTx *tx = (PgTx *)base;
    _cleanup_(results_done) Results results = RESULTS_INIT;
    unsigned n_syncs = 0;
    bool first = !tx->begun;
    int r;

    if (tx->state != TX_GOOD) {
        return err_trace(-ECANCELED);
    }
    /* A migration takes the time it takes. */
    if ((first && send_begin(tx, &n_syncs) < 0) ||
        pg_connection_send(tx->connection, "SET LOCAL statement_timeout = 0") < 0) {
        return err_trace(fail(tx, TX_LOST, -ENOTCONN));
    }
    r = first ? settle_begun(tx, n_syncs, &results, "script") : settle(tx, 1, &results, "script");
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = pg_connection_script(tx->connection, sql, &results);
    if (r < 0) {
        return err_trace(fail(tx, TX_LOST, -ENOTCONN));
    }
    r = read_results(tx, &results, "script");
    return r < 0 ? err_trace(r) : r;
}
