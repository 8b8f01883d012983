/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/sqlite/connection.h"

#include "base/error.h"
#include "base/log.h"

#include <ctype.h>

/* After a checkpoint the log is cut back to this: one large write does not keep its space. */
#define WAL_SIZE_KEPT "67108864"
#define CACHE_SIZE    64 /* places, to begin with */
#define SWITCH_TRIES  100

int connection_error(const Connection *connection, int result) {
    int unix_error = sqlite3_system_errno(connection->handle);

    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CONSTRAINT:
        return result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY ||
                       result == SQLITE_CONSTRAINT_ROWID
                   ? DB_E_EXISTS
                   : DB_E_CONSTRAINT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_TOOBIG:
        return -EFBIG;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return unix_error == ENOSPC || unix_error == EDQUOT  ? -ENOSPC
               : unix_error == EACCES || unix_error == EPERM ? -EACCES
                                                             : -EIO;
    default: /* SQLITE_ERROR: the statement, and with it we, are wrong */
        return -EINVAL;
    }
}

/* Tells the log's debug level what the engine said; statements hold no values, so no secrets. */
static int failed(const Connection *connection, const char *what, int result) {
    log_debug("database statement failed", LOG_STR("statement", what),
              LOG_STR("error", sqlite3_errmsg(connection->handle)), LOG_INT("code", result));
    return connection_error(connection, result);
}

int connection_run(Connection *connection, const char *sql) {
    int result = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? 0 : failed(connection, sql, result);
}

int connection_checkpoint(Connection *connection) {
    int result =
        sqlite3_wal_checkpoint_v2(connection->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    return result == SQLITE_OK ? 0 : failed(connection, "checkpoint", result);
}

bool connection_in_transaction(const Connection *connection) {
    return !sqlite3_get_autocommit(connection->handle);
}

static void set_up_defences(sqlite3 *handle) {
    /* What this version does not know is no loss: these are second lines. */
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    /* "x" is a column and never a text, as elsewhere. */
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
}

/* SQLite does not wait for others that make the same switch at the same time, so this does. */
static int switch_to_wal(Connection *connection) {
    sqlite3_stmt *handle = NULL;
    int result = SQLITE_BUSY;
    bool is_wal = false;

    for (unsigned i = 0; i < SWITCH_TRIES && (result & 0xff) == SQLITE_BUSY; i++) {
        if (i > 0) {
            sqlite3_sleep(20);
        }
        result =
            sqlite3_prepare_v2(connection->handle, "PRAGMA journal_mode = WAL", -1, &handle, NULL);
        if (result == SQLITE_OK) {
            result = sqlite3_step(handle);
            is_wal = result == SQLITE_ROW &&
                     sqlite3_stricmp((const char *)sqlite3_column_text(handle, 0), "wal") == 0;
        }
        sqlite3_finalize(handle);
    }
    if (result != SQLITE_ROW) {
        return failed(connection, "journal_mode", result);
    }
    return is_wal ? 0 : -EOPNOTSUPP;
}

static int set_up(Connection *connection, uint32_t busy_timeout_ms) {
    int r;

    sqlite3_busy_timeout(connection->handle, (int)busy_timeout_ms);
    set_up_defences(connection->handle);
    r = connection->read_only ? 0 : switch_to_wal(connection);
    if (r < 0) {
        return r;
    }
    /* synchronous=FULL: fsync at each commit. Reading works cannot write, whatever they say.
     * secure_delete: what is deleted is overwritten, so that an erased row is not left in the file.
     */
    r = connection_run(connection, "PRAGMA synchronous = FULL;"
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA cell_size_check = ON;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA secure_delete = ON;"
                                   "PRAGMA journal_size_limit = " WAL_SIZE_KEPT ";");
    if (r == 0 && connection->read_only) {
        r = connection_run(connection, "PRAGMA query_only = ON");
    }
    return r;
}

int connection_open(const char *path, bool read_only, uint32_t busy_timeout_ms,
                    Connection **ret_connection) {
    _cleanup_(connection_freep) Connection *connection = calloc(1, sizeof(*connection));
    /* Writable even for reading, as a reader shares the index of the log. The caller sees to it
     * that one thread at a time uses it. */
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                      SQLITE_OPEN_EXRESCODE;
    int result, r;

    if (!connection) {
        return -ENOMEM;
    }
    connection->read_only = read_only;
    connection->cache_size = CACHE_SIZE;
    connection->cache = calloc(CACHE_SIZE, sizeof(*connection->cache));
    if (!connection->cache) {
        return -ENOMEM;
    }
    result = sqlite3_open_v2(path, &connection->handle, flags, NULL);
    r = result == SQLITE_OK ? set_up(connection, busy_timeout_ms)
                            : failed(connection, "open", result);
    if (r != 0) {
        return r < 0 ? err_trace(r) : -EIO;
    }
    *ret_connection = TAKE_PTR(connection);
    return 0;
}

Connection *connection_free(Connection *connection) {
    if (connection) {
        for (size_t i = 0; connection->cache && i < connection->cache_size; i++) {
            sqlite3_finalize(connection->cache[i].handle);
        }
        sqlite3_close(connection->handle);
        free(connection->cache);
        free(connection);
    }
    return NULL;
}

static CachedStatement *find_place(CachedStatement *cache, size_t size,
                                   const DbStatement *statement) {
    size_t at = ((uintptr_t)statement / sizeof(*statement)) * 11400714819323198485u >> 32;

    while (cache[at & (size - 1)].statement && cache[at & (size - 1)].statement != statement) {
        at++;
    }
    return &cache[at & (size - 1)];
}

static int grow_cache(Connection *connection) {
    size_t size = connection->cache_size * 2;
    CachedStatement *cache = calloc(size, sizeof(*cache));

    if (!cache) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < connection->cache_size; i++) {
        if (connection->cache[i].statement) {
            *find_place(cache, size, connection->cache[i].statement) = connection->cache[i];
        }
    }
    free(connection->cache);
    connection->cache = cache;
    connection->cache_size = size;
    return 0;
}

static bool is_blank(const char *text) {
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return *text == '\0';
}

static int prepare(Connection *connection, const DbStatement *statement,
                   sqlite3_stmt **ret_handle) {
    sqlite3_stmt *handle = NULL;
    const char *rest = "";
    int result = sqlite3_prepare_v3(connection->handle, statement->sql, -1,
                                    SQLITE_PREPARE_PERSISTENT, &handle, &rest);

    if (result != SQLITE_OK) {
        return failed(connection, statement->name, result);
    }
    if (!handle || !is_blank(rest) ||
        sqlite3_bind_parameter_count(handle) != (int)statement->n_params ||
        sqlite3_column_count(handle) != (int)statement->n_columns) {
        sqlite3_finalize(handle);
        log_debug("database statement is not what it says", LOG_STR("statement", statement->name));
        return -EINVAL;
    }
    *ret_handle = handle;
    return 0;
}

int connection_prepare(Connection *connection, const DbStatement *statement,
                       sqlite3_stmt **ret_handle) {
    CachedStatement *place = find_place(connection->cache, connection->cache_size, statement);
    sqlite3_stmt *handle = NULL;
    int r = 0;

    if (place->statement) {
        *ret_handle = place->handle;
        return 0;
    }
    r = prepare(connection, statement, &handle);
    if (r == 0 && connection->n_cached >= connection->cache_size / 2) {
        r = grow_cache(connection);
        place = find_place(connection->cache, connection->cache_size, statement);
    }
    if (r != 0) {
        sqlite3_finalize(handle);
        return r;
    }
    *place = (CachedStatement){statement, handle};
    connection->n_cached++;
    *ret_handle = handle;
    return 0;
}
