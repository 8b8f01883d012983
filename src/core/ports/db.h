/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The database: statements with bound parameters, in transactions that are run again when the
 * engine asks for it. What SQLite and the PostgreSQL protocol both do, and nothing that Citus,
 * YugabyteDB, CockroachDB or Aurora lack.
 *
 * Calls block: they belong on a thread that may wait (base/executor.h), never on one of the HTTP
 * server's. A Db is thread-safe; a DbTx belongs to the thread that runs its work.
 *
 * One SQL for all engines. Parameters are `?`. Columns are BIGINT (every whole number, every time:
 * microseconds since 1970 UTC), TEXT (UTF-8, no NUL) or BYTEA (identifiers, keys, sealed values).
 * The clock is the caller's: no now() in SQL. sum() of a BIGINT is CAST(... AS BIGINT).
 */

#include "base/arena.h"
#include "base/uuid.h"

typedef enum DbType {
    DB_TYPE_NULL,
    DB_TYPE_INT,
    DB_TYPE_TEXT,
    DB_TYPE_BLOB,
} DbType;

typedef struct DbValue {
    DbType type;
    int64_t integer;
    Str bytes; /* TEXT and BLOB; borrowed as a parameter, in the arena as a result */
} DbValue;

#define DB_NULL      ((DbValue){.type = DB_TYPE_NULL})
#define DB_INT(v)    ((DbValue){.type = DB_TYPE_INT, .integer = (int64_t)(v)})
#define DB_TEXT(str) ((DbValue){.type = DB_TYPE_TEXT, .bytes = (str)})
#define DB_BLOB(str) ((DbValue){.type = DB_TYPE_BLOB, .bytes = (str)})

/*
 * A statement of a store. Its address is its identity: each connection prepares it once, so it must
 * be static. A store keeps them in one array indexed by an enum.
 */
typedef struct DbStatement {
    const char *name; /* "account_by_email", for the log and metrics */
    const char *sql;
    unsigned n_params, n_columns; /* counted when it is prepared; n_columns 0: gives no rows */
    bool by_values; /* its way depends on the parameters: it is planned anew for each call */
} DbStatement;

#define DB_PARAMS_MAX 32

/* Row by row, in the arena. */
typedef struct DbRows {
    size_t n_rows;
    unsigned n_columns;
    const DbValue *values;
} DbRows;

static inline const DbValue *db_rows_at(const DbRows *rows, size_t row, unsigned column) {
    return &rows->values[row * rows->n_columns + column];
}

/*
 * The documented conditions of db_exec(), db_query() and db_script(). After one of the first two,
 * as after any fault, the transaction can only be rolled back: the work returns something other
 * than 0. Further statements fail with -ECANCELED, and so does db_write() if the work returns 0
 * nonetheless. Where a duplicate is to be expected, write ON CONFLICT DO NOTHING and look at what
 * was changed.
 */
enum {
    DB_E_EXISTS = 1, /* a key that must be unique is taken */
    DB_E_CONSTRAINT, /* a rule of the table is broken: REFERENCES, CHECK or NOT NULL */
    DB_E_NONE,       /* db_query_one(): no row; spoils nothing */
};

typedef struct Db Db;
typedef struct DbTx DbTx;

/*
 * Where a write stands in the primary's log, for reading it back from a replica that has replayed
 * it: a word without blanks, "" when there is nothing to wait for. Of two tokens of one database
 * the one that is greater, byte by byte, stands for what the other does, and more. Text from a
 * client is checked with db_token_parse(); DB_TOKEN_PRIMARY is "ask the primary", and greater than
 * all others.
 */
#define DB_TOKEN_LEN_MAX 31
typedef struct DbToken {
    char text[DB_TOKEN_LEN_MAX + 1];
} DbToken;
#define DB_TOKEN_PRIMARY ((DbToken){"primary"})

/* 1 to 31 of [0-9A-Za-z/_-], or empty; -EINVAL otherwise. */
int db_token_parse(Str text, DbToken *ret_token);

/*
 * What a transaction does. Returns 0 to commit. Anything else rolls back: a positive number is the
 * caller's own condition, a negative one a fault from db_exec() or db_query(), forwarded. May be
 * called more than once, each time in a new transaction, so it must set what it gives back anew
 * and do nothing outside the database that cannot be done twice.
 */
typedef int DbWork(DbTx *tx, void *userdata);

typedef enum DbDialect {
    DB_DIALECT_SQLITE,
    DB_DIALECT_POSTGRES,
    _DB_DIALECT_MAX,
} DbDialect;

struct Db {
    const struct DbImpl *impl;
};
struct DbTx {
    const struct DbImpl *impl;
};

typedef struct DbImpl {
    DbDialect dialect;
    int (*write)(Db *self, DbWork *work, void *userdata, DbToken *ret_token);
    int (*read)(Db *self, const DbToken *after, DbWork *work, void *userdata);
    int (*check)(Db *self, const DbStatement *statements, size_t n, const char **reterr_name);
    Db *(*free)(Db *self);
    int (*exec)(DbTx *tx, const DbStatement *statement, const DbValue *params,
                uint64_t *ret_changed);
    int (*query)(DbTx *tx, const DbStatement *statement, const DbValue *params, size_t rows_max,
                 Arena *arena, DbRows *ret_rows);
    int (*script)(DbTx *tx, const char *sql);
    int (*scrub)(Db *self); /* NULL: there is nothing for it to do */
} DbImpl;

/*
 * Runs `work` in a serializable transaction, again (a bounded number of times, with a jittered
 * pause) when the engine reports a conflict or has failed over before COMMIT was sent. The work
 * runs on the caller's thread and writes in no other transaction of the same Db. When it returns 0
 * the data is on disk. `ret_token` may be NULL.
 *
 * 0: committed. What `work` returned, other than 0: rolled back. Or:
 *
 *   -EBUSY      still in conflict after the last try; or no connection was free in time
 *   -ENOTCONN   the database cannot be reached
 *   -EREMOTEIO  the connection was lost during COMMIT: whether it is in effect is not known
 *
 * Each of these is worth trying again later: HTTP edges answer 503. -ENOSPC: the disk is full.
 * -ECANCELED: a statement failed and `work` returned 0.
 */
static inline int db_write(Db *db, DbWork *work, void *userdata, DbToken *ret_token) {
    return db->impl->write(db, work, userdata, ret_token);
}

/*
 * The same for reading only; statements that write fail with -EROFS. May run on a replica, but
 * only on one that has replayed `after` (NULL: the primary, always).
 */
static inline int db_read(Db *db, const DbToken *after, DbWork *work, void *userdata) {
    return db->impl->read(db, after, work, userdata);
}

/*
 * Prepares statements and counts their parameters and columns, so that a mistake in SQL ends the
 * start and not a request. -EINVAL with the name of the first wrong one (static) in *reterr_name;
 * or as db_read().
 */
static inline int db_check(Db *db, const DbStatement *statements, size_t n,
                           const char **reterr_name) {
    return db->impl->check(db, statements, n, reterr_name);
}

/*
 * Takes what has been deleted out of the files of the engine, as far as that is ours to do: the log
 * of SQLite holds rows as they were before until it is emptied. Waits for works under way; -EBUSY
 * when they took too long. What a server of its own keeps (dead rows, logs, backups) is not
 * reached.
 */
static inline int db_scrub(Db *db) {
    return db->impl->scrub ? db->impl->scrub(db) : 0;
}

static inline DbDialect db_dialect(const Db *db) {
    return db->impl->dialect;
}

/* Waits for nothing: all work must have ended. Accepts NULL. */
static inline Db *db_free(Db *db) {
    return db ? db->impl->free(db) : NULL;
}
DEFINE_CLEANUP(Db *, db_free)

/*
 * A statement without rows, with as many params as it says (NULL when none). `ret_changed`, the
 * number of rows it inserted, changed or deleted, may be NULL.
 *
 *   0; DB_E_EXISTS; DB_E_CONSTRAINT; or a fault, which `work` returns: -EINVAL for a statement
 *   that is wrong (see db_check()) and for TEXT that is not UTF-8 or has a NUL
 */
static inline int db_exec(DbTx *tx, const DbStatement *statement, const DbValue *params,
                          uint64_t *ret_changed) {
    return tx->impl->exec(tx, statement, params, ret_changed);
}

/*
 * All rows of a statement, in the arena, also those of INSERT, UPDATE and DELETE ... RETURNING.
 * -E2BIG when there are more than `rows_max`: a query bounds itself with LIMIT. Conditions as
 * db_exec().
 */
static inline int db_query(DbTx *tx, const DbStatement *statement, const DbValue *params,
                           size_t rows_max, Arena *arena, DbRows *ret_rows) {
    return tx->impl->query(tx, statement, params, rows_max, arena, ret_rows);
}

/* The one row that there can be: its n_columns values. DB_E_NONE when there is none. */
int db_query_one(DbTx *tx, const DbStatement *statement, const DbValue *params, Arena *arena,
                 const DbValue **ret_row);

/*
 * The first column of all rows, as identifiers in the arena (an array of *ret_n, not NULL when
 * there are none). -E2BIG as db_query(); -EBADMSG when what is stored is no identifier; -EIO when
 * the statement ends in one of db_exec()'s conditions.
 */
int db_query_ids(DbTx *tx, const DbStatement *statement, const DbValue *params, size_t rows_max,
                 Arena *arena, Uuid **ret_ids, size_t *ret_n);

/* Several statements of ours, without parameters: what a migration is. Conditions as db_exec(). */
static inline int db_script(DbTx *tx, const char *sql) {
    return tx->impl->script(tx, sql);
}
