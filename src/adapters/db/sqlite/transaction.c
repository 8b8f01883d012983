/* SPDX-License-Identifier: Apache-2.0 */

/* Statements inside a transaction: parameters in, rows out. */

#include "adapters/db/sqlite/connection.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>

/* Sees to it that no statement is left half run, and that no parameter points to what is gone. */
static void statement_done(sqlite3_stmt **handle) {
    if (*handle) {
        sqlite3_reset(*handle);
        sqlite3_clear_bindings(*handle);
    }
}

/* A failed statement spoils its transaction: other engines insist on it, so this one does too. */
static int spoil(SqliteTx *self, int r) {
    self->spoilt = true;
    return r < 0 ? err_trace(r) : r;
}

static int statement_error(const SqliteTx *self, const DbStatement *statement, int result) {
    int r = connection_error(self->connection, result);

    log_debug("database statement failed", LOG_STR("statement", statement->name),
              LOG_STR("error", sqlite3_errmsg(self->connection->handle)), LOG_INT("code", result));
    return r;
}

/* Borrowed: the values live until statement_done(). */
static int bind(sqlite3_stmt *handle, int at, const DbValue *value) {
    const char *bytes = value->bytes.len > 0 ? value->bytes.ptr : "";

    switch (value->type) {
    case DB_TYPE_NULL:
        return sqlite3_bind_null(handle, at);
    case DB_TYPE_INT:
        return sqlite3_bind_int64(handle, at, value->integer);
    case DB_TYPE_TEXT:
        if (!str_is_utf8(value->bytes) || memchr(bytes, '\0', value->bytes.len)) {
            return SQLITE_ERROR;
        }
        return sqlite3_bind_text64(handle, at, bytes, value->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
    case DB_TYPE_BLOB:
        return sqlite3_bind_blob64(handle, at, bytes, value->bytes.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

/* The statement, ready to step; with or without columns. */
static int begin(const SqliteTx *self, const DbStatement *statement, const DbValue *params,
                 bool gives_rows, sqlite3_stmt **ret_handle) {
    Connection *connection = self->connection;
    sqlite3_stmt *handle = NULL;
    int r;

    if (self->spoilt) {
        return -ECANCELED;
    }
    if (gives_rows != (statement->n_columns > 0)) {
        return -EINVAL;
    }
    r = connection_prepare(connection, statement, &handle);
    if (r != 0) {
        return r;
    }
    if (connection->read_only && !sqlite3_stmt_readonly(handle)) {
        return -EROFS;
    }
    for (unsigned i = 0; i < statement->n_params; i++) {
        int result = bind(handle, (int)i + 1, &params[i]);
        if (result != SQLITE_OK) {
            sqlite3_clear_bindings(handle);
            return connection_error(connection, result);
        }
    }
    *ret_handle = handle;
    return 0;
}

int sqlite_tx_exec(DbTx *tx, const DbStatement *statement, const DbValue *params,
                   uint64_t *ret_changed) {
    SqliteTx *self = (SqliteTx *)tx;
    sqlite3 *db = self->connection->handle;
    _cleanup_(statement_done) sqlite3_stmt *handle = NULL;
    sqlite3_int64 before;
    int result, r;

    assert(params || statement->n_params == 0);
    r = begin(self, statement, params, false, &handle);
    if (r != 0) {
        return spoil(self, r);
    }
    before = sqlite3_total_changes64(db);
    result = sqlite3_step(handle);
    if (result != SQLITE_DONE) {
        return spoil(self, statement_error(self, statement, result));
    }
    if (ret_changed) {
        /* The count of changes stays that of an earlier statement when this one is no write. */
        *ret_changed = sqlite3_total_changes64(db) == before ? 0 : (uint64_t)sqlite3_changes64(db);
    }
    return 0;
}

static int read_value(sqlite3_stmt *handle, int column, Arena *arena, DbValue *ret_value) {
    int type = sqlite3_column_type(handle, column);
    const void *bytes;
    size_t len;

    switch (type) {
    case SQLITE_NULL:
        *ret_value = DB_NULL;
        return 0;
    case SQLITE_INTEGER:
        *ret_value = DB_INT(sqlite3_column_int64(handle, column));
        return 0;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        bytes = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(handle, column)
                                    : sqlite3_column_blob(handle, column);
        len = (size_t)sqlite3_column_bytes(handle, column);
        if (!bytes && len > 0) {
            return -ENOMEM;
        }
        ret_value->type = type == SQLITE_TEXT ? DB_TYPE_TEXT : DB_TYPE_BLOB;
        ret_value->bytes = (Str){arena_strdup(arena, (Str){bytes, len}), len};
        return 0;
    default: /* a floating-point number: no column of ours */
        return -EINVAL;
    }
}

static int read_row(sqlite3_stmt *handle, unsigned n_columns, Arena *arena, Buf *values) {
    for (unsigned i = 0; i < n_columns; i++) {
        DbValue value = {0};
        int r = read_value(handle, (int)i, arena, &value);
        if (r < 0) {
            return r;
        }
        buf_add(values, &value, sizeof(value));
    }
    return 0;
}

int sqlite_tx_query(DbTx *tx, const DbStatement *statement, const DbValue *params, size_t rows_max,
                    Arena *arena, DbRows *ret_rows) {
    SqliteTx *self = (SqliteTx *)tx;
    _cleanup_(statement_done) sqlite3_stmt *handle = NULL;
    _cleanup_(buf_done) Buf values = BUF_INIT;
    DbValue *copy = NULL;
    size_t n_rows = 0;
    int result, r;

    assert(params || statement->n_params == 0);
    r = begin(self, statement, params, true, &handle);
    if (r != 0) {
        return spoil(self, r);
    }
    while ((result = sqlite3_step(handle)) == SQLITE_ROW) {
        r = n_rows++ < rows_max ? read_row(handle, statement->n_columns, arena, &values) : -E2BIG;
        if (r != 0) {
            return spoil(self, r);
        }
    }
    if (result != SQLITE_DONE) {
        return spoil(self, statement_error(self, statement, result));
    }
    if (n_rows > 0) {
        copy = arena_alloc(arena, values.len);
        memcpy(copy, values.data, values.len);
    }
    *ret_rows = (DbRows){n_rows, statement->n_columns, copy};
    return 0;
}

int sqlite_tx_script(DbTx *tx, const char *sql) {
    SqliteTx *self = (SqliteTx *)tx;
    int r = self->spoilt ? -ECANCELED : connection_run(self->connection, sql);

    return r == 0 ? 0 : spoil(self, r);
}

int sqlite_tx_run(const DbImpl *impl, Connection *connection, DbWork *work, void *userdata) {
    SqliteTx self = {.tx.impl = impl, .connection = connection};
    int r = work(&self.tx, userdata);

    return r == 0 && self.spoilt ? -ECANCELED : r;
}
