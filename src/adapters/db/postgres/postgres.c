/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/postgres.h"

#include "adapters/db/postgres/metrics.h"
#include "adapters/db/postgres/replicas.h"
#include "adapters/db/postgres/sqlstate.h"
#include "adapters/db/postgres/tx.h"
#include "base/clock.h"
#include "base/error.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>
#include <time.h>

#define CONFLICTS_MAX 20 /* runs of one transaction that end in a conflict */
#define LOST_MAX      4  /* ... or with the connection lost */
/* The pause before the second run is at most this long, then twice as long each time. */
#define CONFLICT_PAUSE_MS 2
#define LOST_PAUSE_MS     100
#define PAUSE_MAX_MS      400
#define RETRY_FOR_MS      10000 /* no run begins later than this after the first */
#define ANSWER_MS         2000  /* how much longer than the server we wait before we give it up */

typedef struct PostgresDb {
    Db base;
    PgPool *primary;
    Replicas *replicas;
    size_t n_replicas;
    unsigned wait_ms;
    unsigned answer_ms;
    _Atomic uint64_t n_primary, n_replica, n_behind, n_conflicts, n_lost;
    struct PostgresMetrics *metrics; /* or NULL */
} PostgresDb;

/* How often a transaction was run, and until when it may be. */
typedef struct Attempts {
    unsigned n_conflicts, n_lost;
    uint64_t give_up_ms;
} Attempts;

static const DbImpl impl;

/* Whether to run it again; pauses before. Which it was tells tx->state. */
static bool again(PostgresDb *self, Attempts *attempts, TxState state) {
    unsigned n, pause_max;
    struct timespec pause;

    if (state == TX_CONFLICT) {
        self->n_conflicts++;
        n = ++attempts->n_conflicts;
    } else {
        self->n_lost++;
        n = ++attempts->n_lost;
    }
    if (attempts->n_conflicts >= CONFLICTS_MAX || attempts->n_lost >= LOST_MAX ||
        clock_mono_ms() >= attempts->give_up_ms) {
        return false;
    }
    /* Anything up to the limit, so that those who met do not meet again. */
    pause_max = (state == TX_CONFLICT ? CONFLICT_PAUSE_MS : LOST_PAUSE_MS) << MIN(n - 1, 10u);
    pause_max = MIN(pause_max, (unsigned)PAUSE_MAX_MS) * 1000000u;
    pause = (struct timespec){.tv_nsec = arc4random_uniform(pause_max)};
    nanosleep(&pause, NULL);
    return true;
}

/* What a run gave that is not to be committed, or not to be run again. */
static int outcome(const PgTx *tx, int r) {
    switch (tx->state) {
    case TX_GOOD:
        return r;
    case TX_REFUSED:
        return r != 0 ? r : -ECANCELED;
    default:
        return tx->r; /* whatever `work` made of it */
    }
}

static int write_once(PostgresDb *self, DbWork *work, void *userdata, DbToken *ret_token,
                      TxState *ret_state) {
    PgTx tx = {.base.impl = &impl, .timeout_ms = self->answer_ms};
    int r = pg_pool_take(self->primary, self->wait_ms, &tx.connection);

    if (r < 0) {
        *ret_state = r == -ENOTCONN ? TX_LOST : TX_REFUSED;
        return r;
    }
    self->n_primary++;
    r = outcome(&tx, work(&tx.base, userdata));
    if (r == 0) {
        r = pg_tx_commit(&tx, ret_token);
    } else {
        pg_tx_end(&tx, "ROLLBACK");
    }
    pg_pool_give(self->primary, tx.connection);
    *ret_state = tx.state;
    return r;
}

static int postgres_write(Db *base, DbWork *work, void *userdata, DbToken *ret_token) {
    PostgresDb *self = (PostgresDb *)base;
    Attempts attempts = {.give_up_ms = clock_mono_ms() + RETRY_FOR_MS};
    DbToken token = {0};
    TxState state;
    int r;

    do {
        r = write_once(self, work, userdata, ret_token ? &token : NULL, &state);
    } while ((state == TX_CONFLICT || state == TX_LOST) && again(self, &attempts, state));
    if (r == 0 && ret_token) {
        *ret_token = token;
    }
    return err_trace(r);
}

/* Whether it was answered by a replica; if not, the primary is to be asked. */
static bool read_from_replica(PostgresDb *self, WalPosition after, DbWork *work, void *userdata,
                              int *ret_r) {
    PgTx tx = {
        .base.impl = &impl, .read_only = true, .after = &after, .timeout_ms = self->answer_ms};
    ReplicaSeen seen = REPLICA_GOOD;
    size_t index;

    if (!replicas_take(self->replicas, after, &tx.connection, &index)) {
        return false;
    }
    *ret_r = outcome(&tx, work(&tx.base, userdata));
    pg_tx_end(&tx, *ret_r == 0 ? "COMMIT" : "ROLLBACK");
    if (tx.state == TX_BEHIND) {
        self->n_behind++;
        seen = REPLICA_BEHIND;
    } else if (tx.state == TX_LOST || tx.state == TX_UNUSABLE) {
        seen = REPLICA_DOWN;
    }
    replicas_give(self->replicas, index, tx.connection, seen);
    if (tx.state != TX_GOOD && tx.state != TX_REFUSED) {
        return false;
    }
    self->n_replica++;
    return true;
}

static int read_once(PostgresDb *self, DbWork *work, void *userdata, TxState *ret_state) {
    PgTx tx = {.base.impl = &impl, .read_only = true, .timeout_ms = self->answer_ms};
    int r = pg_pool_take(self->primary, self->wait_ms, &tx.connection);

    if (r < 0) {
        *ret_state = r == -ENOTCONN ? TX_LOST : TX_REFUSED;
        return r;
    }
    self->n_primary++;
    r = outcome(&tx, work(&tx.base, userdata));
    pg_tx_end(&tx, r == 0 ? "COMMIT" : "ROLLBACK");
    pg_pool_give(self->primary, tx.connection);
    *ret_state = tx.state;
    return r;
}

static int postgres_read(Db *base, const DbToken *after, DbWork *work, void *userdata) {
    PostgresDb *self = (PostgresDb *)base;
    Attempts attempts = {.give_up_ms = clock_mono_ms() + RETRY_FOR_MS};
    WalPosition position;
    TxState state;
    int r;

    if (after && self->n_replicas > 0 && wal_position_parse(after, &position) == 0 &&
        read_from_replica(self, position, work, userdata, &r)) {
        return err_trace(r);
    }
    do {
        r = read_once(self, work, userdata, &state);
    } while ((state == TX_CONFLICT || state == TX_LOST) && again(self, &attempts, state));
    return err_trace(r);
}

/* Prepares one without a name, so that nothing of it stays. */
static int check_one(PostgresDb *self, PgConnection *connection, const DbStatement *statement) {
    _cleanup_(results_done) Results results = RESULTS_INIT;
    int r = pg_connection_send_statement(connection, statement, false), verdict;

    if (r == -EINVAL) {
        return r;
    }
    r = r < 0 ? r : pg_connection_send_sync(connection);
    r = r < 0 ? r : pg_connection_collect(connection, 1, self->answer_ms, &results);
    if (r < 0) {
        return -ENOTCONN;
    }
    for (size_t i = 0; i < results.n; i++) {
        if (PQresultStatus(results.at[i]) == PGRES_FATAL_ERROR) {
            connection->broken |= sqlstate_read(results.at[i], true, &verdict) == VERDICT_LOST;
            return connection->broken ? -ENOTCONN : -EINVAL;
        }
    }
    return pg_connection_check(statement, results.at[results.n - 1]);
}

static int postgres_check(Db *base, const DbStatement *statements, size_t n,
                          const char **reterr_name) {
    PostgresDb *self = (PostgresDb *)base;
    PgConnection *connection;
    int r = pg_pool_take(self->primary, self->wait_ms, &connection);

    if (r < 0) {
        return err_trace(r);
    }
    for (size_t i = 0; i < n && r == 0; i++) {
        r = check_one(self, connection, &statements[i]);
        if (r == -EINVAL) {
            *reterr_name = statements[i].name;
        }
    }
    pg_pool_give(self->primary, connection);
    return err_trace(r);
}

static Db *postgres_free(Db *base) {
    PostgresDb *self = (PostgresDb *)base;

    postgres_metrics_free(self->metrics);
    pg_pool_free(self->primary);
    replicas_free(self->replicas);
    free(self);
    return NULL;
}

static const DbImpl impl = {
    .dialect = DB_DIALECT_POSTGRES,
    .write = postgres_write,
    .read = postgres_read,
    .check = postgres_check,
    .free = postgres_free,
    .exec = pg_tx_exec,
    .query = pg_tx_query,
    .script = pg_tx_script,
};

static int new_pool(const DbPostgresOptions *options, const char *url, bool replica,
                    PgPool **ret_pool) {
    Conninfo conninfo;
    int r = conninfo_init(&conninfo, url,
                          &(ConninfoDefaults){.connect_timeout_ms = options->connect_timeout_ms,
                                              .statement_timeout_ms = options->statement_timeout_ms,
                                              .ca_file = options->ca_file,
                                              .replica = replica});

    if (r < 0) {
        return r;
    }
    *ret_pool = pg_pool_new(&conninfo, options->pool_size,
                            replica ? "postgresql replica" : "postgresql", options->tell);
    return 0;
}

static bool fill_in(DbPostgresOptions *options) {
    if (options->pool_size == 0) {
        options->pool_size = 10;
    }
    if (options->pool_wait_ms == 0) {
        options->pool_wait_ms = 5000;
    }
    if (options->connect_timeout_ms == 0) {
        options->connect_timeout_ms = 2000;
    }
    if (options->statement_timeout_ms == 0) {
        options->statement_timeout_ms = 10000;
    }
    return options->n_replicas <= DB_POSTGRES_REPLICAS_MAX &&
           options->pool_size <= DB_POSTGRES_POOL_MAX &&
           options->statement_timeout_ms <= INT_MAX - ANSWER_MS;
}

int db_postgres_new(const DbPostgresOptions *options, Db **ret_db) {
    DbPostgresOptions filled = *options;
    _cleanup_(replicas_freep) Replicas *replicas = NULL;
    _cleanup_(pg_pool_freep) PgPool *primary = NULL;
    PostgresDb *self;
    int r;

    if (!fill_in(&filled)) {
        return -EINVAL;
    }
    r = new_pool(&filled, filled.url, false, &primary);
    if (r < 0) {
        return err_trace(r);
    }
    replicas = replicas_new();
    for (size_t i = 0; i < filled.n_replicas; i++) {
        PgPool *pool;
        r = new_pool(&filled, filled.replica_urls[i], true, &pool);
        if (r < 0) {
            return err_trace(r);
        }
        replicas_add(replicas, pool);
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    self->base.impl = &impl;
    self->primary = TAKE_PTR(primary);
    self->replicas = TAKE_PTR(replicas);
    self->n_replicas = filled.n_replicas;
    self->wait_ms = filled.pool_wait_ms;
    self->answer_ms = filled.statement_timeout_ms + ANSWER_MS;
    *ret_db = &self->base;
    return 0;
}

void db_postgres_register_metrics(Db *db, Metrics *metrics) {
    PostgresDb *self = (PostgresDb *)db;

    assert(db->impl == &impl && !self->metrics);
    self->metrics = postgres_metrics_new(db, metrics);
}

void db_postgres_stats(const Db *db, DbPostgresStats *ret_stats) {
    const PostgresDb *self = (const PostgresDb *)db;

    assert(db->impl == &impl);
    *ret_stats = (DbPostgresStats){
        .n_primary = self->n_primary,
        .n_replica = self->n_replica,
        .n_behind = self->n_behind,
        .n_conflicts = self->n_conflicts,
        .n_lost = self->n_lost,
        .n_connects = pg_pool_n_connects(self->primary) + replicas_n_connects(self->replicas),
        .n_replica_down = replicas_n_down(self->replicas),
    };
}
