/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The database port on the PostgreSQL protocol, with libpq: pools of connections to a primary and
 * to read replicas, statements prepared once a connection, and transactions that are run again
 * after a conflict or a failover. Why it is as it is: docs/decisions/0005-postgresql.md.
 */

#include "base/metrics.h"
#include "core/ports/db.h"
#include "core/ports/trouble.h"

typedef struct DbPostgresOptions {
    /*
     * postgresql://user@host:port,host2:port2/name, with a query part of libpq's settings, or
     * libpq's keyword form. With several hosts the one that takes writes is found, at the start and
     * after a failover. The password stands in it, in the file that PGPASSFILE names or in the file
     * that its `passfile` setting names; it is never logged. A proxy in between must keep a
     * connection with one server for as long as it lives. TLS is what `sslmode` says: verify-full
     * looks at chain and name.
     */
    const char *url;
    const char *const *replica_urls; /* each one server that follows the primary; may be NULL */
    size_t n_replicas;               /* at most DB_POSTGRES_REPLICAS_MAX */
    const char *ca_file; /* PEM: `sslrootcert` where an address names none; "" or NULL: libpq's */
    TroubleFn *tell;     /* or NULL */

    /* 0 means the default. */
    unsigned pool_size;            /* connections at most, of the primary and of each replica: 10 */
    unsigned pool_wait_ms;         /* for one of them to be free: 5000 */
    unsigned connect_timeout_ms;   /* for each host; whole seconds, at least 2: 2000 */
    unsigned statement_timeout_ms; /* for each statement and COMMIT, on the server: 10000 */
} DbPostgresOptions;

#define DB_POSTGRES_REPLICAS_MAX 16
#define DB_POSTGRES_POOL_MAX     1000

/*
 * Copies what it needs of the options and connects to nothing yet. 0; -EINVAL for an address that
 * libpq does not understand, or a number out of range.
 */
int db_postgres_new(const DbPostgresOptions *options, Db **ret_db);

/* What happened since db_postgres_new(), for metrics. */
typedef struct DbPostgresStats {
    uint64_t n_primary;      /* transactions begun on the primary */
    uint64_t n_replica;      /* ... on a replica, that it could answer */
    uint64_t n_behind;       /* asked of a replica that had not replayed the token yet */
    uint64_t n_conflicts;    /* transactions run again after a conflict */
    uint64_t n_lost;         /* runs that ended with the connection lost, or not made */
    uint64_t n_connects;     /* connections made */
    uint64_t n_replica_down; /* replicas that could not be reached or used */
} DbPostgresStats;

/* `db` is one of db_postgres_new(). Thread-safe. */
void db_postgres_stats(const Db *db, DbPostgresStats *ret_stats);

/* The same as metrics, which go on until db_free(). `metrics` outlives the database; once. */
void db_postgres_register_metrics(Db *db, Metrics *metrics);
