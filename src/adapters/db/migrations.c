/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/migrations.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>

/* What may be in conflict is tried again by db_write(); this is for many that start at once. */
#define TRIES_MAX 100
/* More rows than there will ever be. */
#define ROWS_MAX 100000

typedef enum StatementId {
    TABLES_SQLITE,
    TABLES_POSTGRES,
    APPLIED,
    LOCK,
    RECORD,
} StatementId;

static const DbStatement statements[] = {
    [TABLES_SQLITE] = {"migration_tables",
                       "SELECT count(*) FROM sqlite_master"
                       " WHERE type = 'table' AND name = 'schema_migration'",
                       0, 1},
    [TABLES_POSTGRES] = {"migration_tables",
                         "SELECT count(*) FROM information_schema.tables"
                         " WHERE table_schema = current_schema()"
                         " AND table_name = 'schema_migration'",
                         0, 1},
    [APPLIED] = {"migrations_applied",
                 "SELECT number, name, sha256, applied_us FROM schema_migration ORDER BY number", 0,
                 4},
    [LOCK] = {"migration_lock", "UPDATE schema_migration_lock SET taken = taken + 1 WHERE id = 1",
              0, 0},
    [RECORD] = {"migration_record",
                "INSERT INTO schema_migration (number, name, sha256, applied_us)"
                " VALUES (?, ?, ?, ?)",
                4, 0},
};

static const char tables_script[] =
    "CREATE TABLE IF NOT EXISTS schema_migration (\n"
    "    number BIGINT NOT NULL PRIMARY KEY,\n"
    "    name TEXT NOT NULL,\n"
    "    sha256 TEXT NOT NULL,\n"
    "    applied_us BIGINT NOT NULL\n"
    ");\n"
    "CREATE TABLE IF NOT EXISTS schema_migration_lock (\n"
    "    id BIGINT NOT NULL PRIMARY KEY,\n"
    "    taken BIGINT NOT NULL\n"
    ");\n"
    "INSERT INTO schema_migration_lock (id, taken) VALUES (1, 0) ON CONFLICT DO NOTHING;\n";

/* One transaction's worth of looking or of applying. */
typedef struct Look {
    DbDialect dialect;
    const Migration *migrations;
    unsigned partitions;
    Arena *arena;
    MigrationList list;
    bool applied;
    const char *error;
} Look;

static MigrationList list_all(const Migration *migrations, Arena *arena) {
    MigrationList list = {0};

    while (migrations[list.n_entries].number > 0) {
        list.n_entries++;
    }
    list.n_pending = list.n_entries;
    list.entries = arena_alloc(arena, list.n_entries * sizeof(*list.entries));
    for (size_t i = 0; i < list.n_entries; i++) {
        list.entries[i].migration = &migrations[i];
    }
    return list;
}

static const char *quote(Arena *arena, Str name) {
    return arena_strdup(arena, name.len <= 100 ? name : (Str){name.ptr, 100});
}

/* Holds one row of what was applied against what this program knows. */
static int compare(Look *look, size_t at, const DbValue *row) {
    MigrationEntry *entry = at < look->list.n_entries ? &look->list.entries[at] : NULL;
    int64_t number = row[0].integer;
    const char *name = quote(look->arena, row[1].bytes);

    if (number < 1 || (entry && number != (int64_t)entry->migration->number)) {
        look->error = arena_printf(look->arena,
                                   "the database has a gap: migration %04u was not applied, but "
                                   "%04lld_%s was; restore a backup, or see to it by hand",
                                   entry ? entry->migration->number : 0, (long long)number, name);
        return MIGRATIONS_E_MISMATCH;
    }
    if (!entry) {
        look->error = arena_printf(look->arena,
                                   "the database is of a newer version: migration %04lld_%s is "
                                   "not known to imagesync %s; run that version or a newer one",
                                   (long long)number, name, IMAGESYNC_VERSION);
        return MIGRATIONS_E_MISMATCH;
    }
    if (!str_equal(row[1].bytes, str_from(entry->migration->name)) ||
        !str_equal(row[2].bytes, str_from(entry->migration->texts[look->dialect].sha256))) {
        look->error = arena_printf(look->arena,
                                   "migration %04lld_%s has changed since it was applied to the "
                                   "database; this program is not of the same line as the one "
                                   "that made it",
                                   (long long)number, name);
        return MIGRATIONS_E_MISMATCH;
    }
    entry->applied_us = row[3].integer;
    look->list.n_pending--;
    return 0;
}

static int read_list(DbTx *tx, Look *look) {
    DbRows rows;
    int r = db_query(tx, &statements[APPLIED], NULL, ROWS_MAX, look->arena, &rows);

    look->list = list_all(look->migrations, look->arena);
    for (size_t i = 0; i < rows.n_rows && r == 0; i++) {
        r = compare(look, i, db_rows_at(&rows, i, 0));
    }
    return r;
}

/* DbWork: the list, also of a database that has no table of migrations yet. */
static int look_only(DbTx *tx, void *userdata) {
    Look *look = userdata;
    const DbStatement *tables = look->dialect == DB_DIALECT_SQLITE ? &statements[TABLES_SQLITE]
                                                                   : &statements[TABLES_POSTGRES];
    const DbValue *row = NULL;
    int r = db_query_one(tx, tables, NULL, look->arena, &row);

    if (r != 0) {
        return r;
    }
    if (row[0].integer == 0) {
        look->list = list_all(look->migrations, look->arena);
        return 0;
    }
    return read_list(tx, look);
}

static int make_tables(DbTx *tx, void *userdata) {
    (void)userdata;
    return db_script(tx, tables_script);
}

static int apply(DbTx *tx, Look *look, const Migration *migration) {
    const MigrationText *text = &migration->texts[look->dialect];
    _cleanup_(buf_done) Buf sql = BUF_INIT;
    const char *why = "the database refused it; --log-level debug shows the statement";
    int r = migration_sql(migration, look->dialect, look->partitions, &sql, &why);

    if (r == 0) {
        r = db_script(tx, buf_cstr(&sql));
    }
    if (r == 0) {
        r = db_exec(tx, &statements[RECORD],
                    (const DbValue[]){DB_INT(migration->number), DB_TEXT(str_from(migration->name)),
                                      DB_TEXT(str_from(text->sha256)), DB_INT(clock_unix_us())},
                    NULL);
    }
    if (r != 0) {
        look->error = arena_printf(look->arena, "migration %04u_%s could not be applied: %s",
                                   migration->number, migration->name,
                                   r < 0 && r != -EINVAL ? strerror(-r) : why);
        return r < 0 ? r : -EINVAL;
    }
    look->applied = true;
    return 0;
}

/* DbWork: applies the first that is missing, if any. */
static int apply_next(DbTx *tx, void *userdata) {
    Look *look = userdata;
    uint64_t changed = 0;
    int r = db_exec(tx, &statements[LOCK], NULL, &changed);

    look->applied = false;
    if (r == 0) {
        r = changed == 1 ? read_list(tx, look) : -EIO;
    }
    if (r != 0 || look->list.n_pending == 0) {
        return r;
    }
    return apply(tx, look,
                 look->list.entries[look->list.n_entries - look->list.n_pending].migration);
}

/* Many that start at once may be in each other's way for longer than db_write() tries. */
static int write_patiently(Db *db, DbWork *work, void *userdata, int also) {
    int r = -EBUSY;

    for (unsigned i = 0; i < TRIES_MAX && (r == -EBUSY || (also && r == also)); i++) {
        r = db_write(db, work, userdata, NULL);
    }
    return r;
}

static int ended(const Look *look, int r, const char **reterr_text) {
    if (r == 0) {
        return 0;
    }
    *reterr_text = look->error ? look->error
                               : arena_printf(look->arena, "cannot use the database: %s",
                                              strerror(r < 0 ? -r : EINVAL));
    if (r > 0) {
        return look->error ? MIGRATIONS_E_MISMATCH : -EINVAL;
    }
    return err_trace(r);
}

int migrations_list(Db *db, const Migration *migrations, Arena *arena, MigrationList *ret_list,
                    const char **reterr_text) {
    Look look = {.dialect = db_dialect(db), .migrations = migrations, .arena = arena};
    int r = ended(&look, db_read(db, NULL, look_only, &look), reterr_text);

    if (r == 0) {
        *ret_list = look.list;
    }
    return r;
}

int migrations_up(Db *db, const Migration *migrations, unsigned partitions, Arena *arena,
                  size_t *ret_n_applied, const char **reterr_text) {
    Look look = {.dialect = db_dialect(db),
                 .migrations = migrations,
                 .partitions = partitions,
                 .arena = arena};
    size_t n_applied = 0;
    int r = db_read(db, NULL, look_only, &look);

    /* A start that has nothing to do writes nothing. */
    if (r == 0 && look.list.n_pending > 0) {
        /* Two that make the same table at once: one of them fails on PostgreSQL. */
        r = write_patiently(db, make_tables, NULL, DB_E_EXISTS);
        do {
            look.applied = false;
            r = r == 0 ? write_patiently(db, apply_next, &look, 0) : r;
            n_applied += r == 0 && look.applied;
        } while (r == 0 && look.applied);
    }
    r = ended(&look, r, reterr_text);
    if (r == 0) {
        *ret_n_applied = n_applied;
    }
    return r;
}
