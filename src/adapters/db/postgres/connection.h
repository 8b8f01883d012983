/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One connection, always in libpq's pipeline mode: what is sent is answered by one result a
 * command, in order, and a sync. Commands that no one waits for (the end of a transaction that has
 * nothing more to say) leave their answer owed; it is read and dropped before the next one.
 *
 * -ECONNRESET of any call here: the connection is of no use any more and only to be freed.
 */

#include "adapters/db/postgres/wal_position.h"
#include "base/str.h"
#include "core/ports/trouble.h"

#include <libpq-fe.h>

/* Keywords and values for PQconnectdbParams(), made once of an address. */
typedef struct Conninfo {
    char **keywords;
    char **values;
    size_t n;
} Conninfo;

typedef struct ConninfoDefaults {
    unsigned connect_timeout_ms;
    unsigned statement_timeout_ms;
    const char *ca_file; /* "" or NULL: none */
    bool replica;
} ConninfoDefaults;

/* -EINVAL when libpq does not understand `url`. Settings that it names win over the defaults. */
int conninfo_init(Conninfo *conninfo, const char *url, const ConninfoDefaults *defaults);
void conninfo_done(Conninfo *conninfo);

/* A statement as one connection knows it. */
typedef struct Prepared {
    const DbStatement *statement;
    unsigned number; /* its name on the server is "s" and this */
    Oid types[DB_PARAMS_MAX];
} Prepared;

typedef struct PgConnection {
    struct PgConnection *next; /* in the pool */
    PGconn *pg;
    bool broken;
    bool warned; /* the server sent a warning; reset by whoever wants to know */

    unsigned n_owed; /* syncs that no one waits for */

    Prepared *prepared; /* open addressing, by the statement's address */
    size_t n_prepared, capacity;
    unsigned n_names; /* each is used once: a statement may be prepared and its transaction fail */

    bool token_prepared, no_tokens; /* of a primary */
    bool replay_prepared;           /* of a replica */
    WalPosition replayed;           /* it had replayed at least this; timeline 0: never asked */
} PgConnection;

/* -ENOTCONN when no host can be reached, or none that takes writes where that is wanted; told when
 * an operator has to mend it. */
int pg_connection_new(const Conninfo *conninfo, Trouble *trouble, PgConnection **ret_connection);
PgConnection *pg_connection_free(PgConnection *connection);
DEFINE_CLEANUP(PgConnection *, pg_connection_free)

/* Whether an idle one can still be used, as far as can be told without asking the server. */
bool pg_connection_is_alive(PgConnection *connection);

/* Queue a command: text without parameters, or a statement prepared under `name`. */
int pg_connection_send(PgConnection *connection, const char *sql);
int pg_connection_send_prepare(PgConnection *connection, const char *name, const char *sql);
int pg_connection_send_describe(PgConnection *connection, const char *name);
int pg_connection_send_execute(PgConnection *connection, const char *name);
int pg_connection_send_sync(PgConnection *connection);

#define RESULTS_MAX 8

/* One result a command; release with results_done(). */
typedef struct Results {
    PGresult *at[RESULTS_MAX];
    size_t n;
} Results;
#define RESULTS_INIT ((Results){0})
void results_done(Results *results);

/*
 * Sends what is queued and reads the results of all commands up to the `n_syncs`th sync, within
 * `timeout_ms` (0: without a limit). After -ECONNRESET those that came before are there.
 */
int pg_connection_collect(PgConnection *connection, unsigned n_syncs, unsigned timeout_ms,
                          Results *results);

/* Sends what is queued, its one sync included, and leaves the answer owed. */
int pg_connection_leave(PgConnection *connection);

/*
 * Runs several statements in the simple protocol, which ends pipeline mode for as long. All results
 * must have been read. Only the last result is given: the first error when there was one.
 */
int pg_connection_script(PgConnection *connection, const char *sql, Results *results);

const Prepared *pg_connection_find(const PgConnection *connection, const DbStatement *statement);
/*
 * Queues the preparation of a statement, under the next name or without one, and its description:
 * two commands. -EINVAL for its text.
 */
int pg_connection_send_statement(PgConnection *connection, const DbStatement *statement,
                                 bool named);
/*
 * Compares the description with what the statement says of itself. -EINVAL when the counts differ
 * or a type is none of those that values.h knows.
 */
int pg_connection_check(const DbStatement *statement, const PGresult *description);
/* The same, and remembers by its address the statement that was sent last with a name. */
int pg_connection_add(PgConnection *connection, const DbStatement *statement,
                      const PGresult *description, const Prepared **ret_prepared);
