/* SPDX-License-Identifier: Apache-2.0 */

/* A copy of a database that is in use (https://sqlite.org/backup.html). */

#include "adapters/db/sqlite/connection.h"
#include "adapters/db/sqlite/sqlite.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>

#define WAIT_MS 50
#define TRIES   200

static int copy(sqlite3 *from, sqlite3 *to) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int result = SQLITE_BUSY;

    if (!backup) {
        return sqlite3_errcode(to);
    }
    for (unsigned i = 0; i < TRIES && (result == SQLITE_BUSY || result == SQLITE_LOCKED); i++) {
        if (i > 0) {
            sqlite3_sleep(WAIT_MS);
        }
        result = sqlite3_backup_step(backup, -1); /* all at once: one snapshot */
    }
    sqlite3_backup_finish(backup);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

int db_sqlite_copy(const char *from, const char *to) {
    Connection source = {0}, target = {0};
    int fd = open(to, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    int result, r;

    if (fd < 0) {
        return err_trace(err_errno());
    }
    fd_close(fd);
    result = sqlite3_open_v2(from, &source.handle, SQLITE_OPEN_READWRITE, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_open_v2(to, &target.handle, SQLITE_OPEN_READWRITE, NULL);
    }
    if (result == SQLITE_OK) {
        result = copy(source.handle, target.handle);
    }
    r = result == SQLITE_OK ? 0 : connection_error(target.handle ? &target : &source, result);
    sqlite3_close(target.handle);
    sqlite3_close(source.handle);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
