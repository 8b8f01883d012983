/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/sqlite/sqlite.h"

#include "adapters/db/sqlite/readers.h"
#include "adapters/db/sqlite/writer.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#define READERS_MAX     8
#define WAIT_TIMEOUT_MS 5000

typedef struct SqliteDb {
    Db db;
    char *path;
    Writer writer;
    Readers readers;
    bool has_readers;
} SqliteDb;

static int sqlite_write(Db *db, DbWork *work, void *userdata, DbToken *ret_token) {
    SqliteDb *self = (SqliteDb *)db;
    int r = writer_write(&self->writer, db->impl, work, userdata);

    if (r == 0 && ret_token) {
        *ret_token = (DbToken){0};
    }
    return r;
}

static int sqlite_read(Db *db, const DbToken *after, DbWork *work, void *userdata) {
    SqliteDb *self = (SqliteDb *)db;
    Connection *connection = NULL;
    int ended, r;

    (void)after; /* every reader sees all that was committed */
    r = readers_take(&self->readers, &connection);
    if (r < 0) {
        return err_trace(r);
    }
    r = connection_run(connection, "BEGIN");
    if (r == 0) {
        r = sqlite_tx_run(db->impl, connection, work, userdata);
    }
    ended = connection_in_transaction(connection) ? connection_run(connection, "ROLLBACK") : -EIO;
    readers_give_back(&self->readers, connection, ended == 0);
    return r < 0 ? err_trace(r) : r;
}

static int sqlite_check(Db *db, const DbStatement *wanted, size_t n, const char **reterr_name) {
    SqliteDb *self = (SqliteDb *)db;
    Connection *connection = NULL;
    sqlite3_stmt *handle;
    int r = readers_take(&self->readers, &connection);

    if (r < 0) {
        return err_trace(r);
    }
    for (size_t i = 0; i < n && r == 0; i++) {
        r = connection_prepare(connection, &wanted[i], &handle);
        if (r != 0) {
            *reterr_name = wanted[i].name;
        }
    }
    readers_give_back(&self->readers, connection, true);
    return r < 0 ? err_trace(r) : r;
}

/* On a connection of its own: it waits for the others as another program would. */
static int sqlite_scrub(Db *db) {
    SqliteDb *self = (SqliteDb *)db;
    _cleanup_(connection_freep) Connection *connection = NULL;
    int r = connection_open(self->path, false, WAIT_TIMEOUT_MS, &connection);

    if (r == 0) {
        r = connection_checkpoint(connection);
    }
    return r < 0 ? err_trace(r) : 0;
}

static Db *sqlite_free(Db *db) {
    SqliteDb *self = (SqliteDb *)db;

    if (self) {
        if (self->has_readers) {
            readers_done(&self->readers);
        }
        /* The last connection to close tidies the log away, so the one that writes. */
        writer_done(&self->writer);
        free(self->path);
        free(self);
    }
    return NULL;
}

static const DbImpl sqlite_impl = {
    .dialect = DB_DIALECT_SQLITE,
    .write = sqlite_write,
    .read = sqlite_read,
    .check = sqlite_check,
    .free = sqlite_free,
    .exec = sqlite_tx_exec,
    .query = sqlite_tx_query,
    .script = sqlite_tx_script,
    .scrub = sqlite_scrub,
};

static const char *explain(Arena *arena, const char *path, int r) {
    const char *why = strerror(-r);

    switch (r) {
    case -EACCES:
    case -EROFS:
        why = "it, or the folder it is in, may not be written by this user";
        break;
    case -EBADMSG:
        why = "the file is damaged or no SQLite database; restore a backup, or move it away";
        break;
    case -EBUSY:
        why = "another program keeps it locked";
        break;
    case -EOPNOTSUPP:
        why = "its folder does not allow write-ahead logging, as network file systems do not";
        break;
    case -ENOSPC:
        why = "the disk is full";
        break;
    case -ENOENT:
        why = "the file, or the folder it is in, is not there";
        break;
    default:
        break;
    }
    return arena_printf(arena, "cannot open the database %s: %s", path, why);
}

/*
 * Only when it is not there: opening a database file by other means than SQLite's, and closing it,
 * would drop this process's locks on it.
 */
static int make_file(const char *path, bool must_exist) {
    int fd;

    if (access(path, F_OK) == 0) {
        return access(path, R_OK | W_OK) == 0 ? 0 : -EACCES;
    }
    if (errno != ENOENT || must_exist) {
        return err_errno();
    }
    fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return err_errno();
    }
    fd_close(fd);
    return 0;
}

/* SQLite takes "file:..." for a URI and ":memory:" for no file, but a path is a path. */
static char *copy_path(const char *path) {
    Buf copy = BUF_INIT;

    buf_addf(&copy, "%s%s", path[0] == '/' ? "" : "./", path);
    return copy.data;
}

int db_sqlite_open(const DbSqliteOptions *options, Arena *arena, Db **ret_db,
                   const char **reterr_text) {
    uint32_t wait_ms = options->wait_timeout_ms ? options->wait_timeout_ms : WAIT_TIMEOUT_MS;
    unsigned readers = options->readers_max ? options->readers_max : READERS_MAX;
    _cleanup_(db_freep) Db *db = NULL;
    Connection *connection = NULL;
    SqliteDb *self = calloc(1, sizeof(*self));
    int r;

    if (!self) {
        return -ENOMEM;
    }
    self->db.impl = &sqlite_impl;
    db = &self->db;
    self->path = copy_path(options->path);
    r = make_file(self->path, options->must_exist);
    if (r == 0) {
        r = connection_open(self->path, false, wait_ms, &connection);
    }
    if (r == 0) {
        r = writer_init(&self->writer, connection, wait_ms);
        if (r < 0) {
            connection_free(connection);
        }
    }
    if (r == 0) {
        r = readers_init(&self->readers, self->path, readers, wait_ms);
        self->has_readers = r == 0;
    }
    if (r < 0) {
        *reterr_text = explain(arena, options->path, r);
        return err_trace(r);
    }
    *ret_db = TAKE_PTR(db);
    return 0;
}
