/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/postgres.h"
#include "adapters/db/sqlite/sqlite.h"
#include "db_testing.h"

#include <errno.h>
#include <stdio.h>

static int open_sqlite(const char *url, Arena *arena, Db **ret_db, const char **reterr_text) {
    DbSqliteOptions options = {.path = url + strlen("sqlite:")};

    return db_sqlite_open(&options, arena, ret_db, reterr_text);
}

static int open_postgres(const char *url, Arena *arena, Db **ret_db, const char **reterr_text) {
    int r = db_postgres_new(&(DbPostgresOptions){.url = url}, ret_db);

    (void)arena;
    if (r < 0) {
        *reterr_text = "libpq does not understand the address";
    }
    return r;
}

int db_engine_open(const char *url, Db **ret_db) {
    static const struct {
        const char *scheme;
        int (*open)(const char *url, Arena *arena, Db **ret_db, const char **reterr_text);
    } engines[] = {{"sqlite:", open_sqlite}, {"postgresql:", open_postgres}};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = "";

    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        if (str_starts_with(str_from(url), str_from(engines[i].scheme))) {
            int r = engines[i].open(url, arena, ret_db, &error);
            if (r != 0) {
                fprintf(stderr, "%s\n", error);
            }
            return r;
        }
    }
    fprintf(stderr, "no engine for %s\n", url);
    return -EINVAL;
}
