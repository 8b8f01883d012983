/* SPDX-License-Identifier: Apache-2.0 */
#include "app/migrate_command.h"

#include "adapters/db/migrations.h"
#include "app/registry.h"
#include "base/error.h"
#include "base/json.h"

#include <time.h>

const CliOption migrate_status_options[] = {
    {"json", 0, CLI_FLAG, offsetof(MigrateStatusOptions, json), .help = "Print a JSON array."},
    {0},
};

int migrate_up_command(const CliCall *call) {
    _cleanup_(db_freep) Db *db = NULL;
    const char *error = "";
    size_t n_applied = 0;

    if (registry_open_database(call->settings, false, call->arena, &db, &error) < 0 ||
        migrations_up(db, migrations_embedded, (unsigned)call->settings->db_partitions, call->arena,
                      &n_applied, &error) != 0) {
        return cli_no_start("%s", error);
    }
    if (n_applied == 0) {
        puts("The database is up to date.");
    } else {
        printf("Applied %zu migration%s; the database is up to date.\n", n_applied,
               n_applied == 1 ? "" : "s");
    }
    return EXIT_OK;
}

/* RFC 3339, UTC, to the second. */
static const char *format_time(int64_t us, Arena *arena) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm parts;
    char text[40] = "?";

    if (gmtime_r(&seconds, &parts)) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return arena_strdup(arena, str_from(text));
}

static void print_json(const MigrationList *list, DbDialect dialect, Arena *arena) {
    _cleanup_(json_decrefp) json_t *array = json_array();
    _cleanup_(freep) char *text = NULL;

    for (size_t i = 0; i < list->n_entries; i++) {
        const MigrationEntry *entry = &list->entries[i];
        json_array_append_new(
            array, json_pack("{s:i,s:s,s:s,s:s?}", "number", (int)entry->migration->number, "name",
                             entry->migration->name, "sha256",
                             entry->migration->texts[dialect].sha256, "applied_at",
                             entry->applied_us ? format_time(entry->applied_us, arena) : NULL));
    }
    text = json_dumps(array, JSON_INDENT(1));
    puts(text ? text : "[]");
}

static void print_list(const MigrationList *list, Arena *arena) {
    for (size_t i = 0; i < list->n_entries; i++) {
        const MigrationEntry *entry = &list->entries[i];
        printf("%04u  %-32s %s\n", entry->migration->number, entry->migration->name,
               entry->applied_us ? format_time(entry->applied_us, arena) : "pending");
    }
    if (list->n_pending == 0) {
        puts("The database is up to date.");
    } else {
        printf("%zu pending: run 'imagesync migrate up'.\n", list->n_pending);
    }
}

int migrate_status_command(const CliCall *call) {
    const MigrateStatusOptions *options = call->options;
    _cleanup_(db_freep) Db *db = NULL;
    const char *error = "";
    MigrationList list;
    int r = registry_open_database(call->settings, true, call->arena, &db, &error);

    if (r == -ENOENT) {
        return cli_no_start("%s; 'imagesync migrate up' makes it", error);
    }
    if (r < 0 || migrations_list(db, migrations_embedded, call->arena, &list, &error) != 0) {
        return cli_no_start("%s", error);
    }
    if (options->json) {
        print_json(&list, db_dialect(db), call->arena);
    } else {
        print_list(&list, call->arena);
    }
    return list.n_pending == 0 ? EXIT_OK : EXIT_SOME_FAILED;
}
