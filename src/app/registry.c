/* SPDX-License-Identifier: Apache-2.0 */
#include "app/registry.h"

#include "adapters/db/migrations.h"
#include "adapters/db/sqlite/sqlite.h"
#include "app/file_io.h"
#include "base/error.h"
#include "inference/model.h"

#include <limits.h>

int registry_check_model(const Settings *settings, Arena *arena, const char **reterr_text) {
    ModelManifest manifest;
    const char *where = "";
    int r = model_manifest_load(settings->models_dir, settings->model, arena, &manifest, &where);

    if (r == -ENOENT) {
        *reterr_text = arena_printf(arena,
                                    "the model '%s' is not installed in %s; run 'make model' in "
                                    "the source folder, or 'imagesync models add FILE.onnx'",
                                    settings->model, settings->models_dir);
        return -ENOENT;
    }
    if (r < 0) {
        *reterr_text = arena_printf(arena, "the manifest of the model '%s' in %s is broken: %s",
                                    settings->model, settings->models_dir, where ? where : "");
        return -EINVAL;
    }
    return 0;
}

int registry_check_services(const Settings *settings, Arena *arena, const char **reterr_text) {
    Str rest = str_from(settings->services), word;
    bool image = false, worker = false;

    while (str_next_token(&rest, ",", &word)) {
        word = str_trim(word);
        if (str_equal(word, str_lit("all"))) {
            image = worker = true;
        } else if (str_equal(word, str_lit("image"))) {
            image = true;
        } else if (str_equal(word, str_lit("worker"))) {
            worker = true;
        } else {
            *reterr_text = arena_printf(arena,
                                        "--services: there is no part '%.*s' in this version; "
                                        "there are image and worker",
                                        (int)word.len, word.ptr);
            return -EINVAL;
        }
    }
    if (!image || !worker) {
        *reterr_text = "--services: image and worker run together in this version; "
                       "give 'image,worker' or 'all'";
        return -EINVAL;
    }
    return 0;
}

static int open_sqlite(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                       const char **reterr_text) {
    DbSqliteOptions options = {.path = settings->database + strlen("sqlite:"),
                               .must_exist = must_exist};

    if (options.path[0] == '\0') {
        *reterr_text = "--database: the file is missing; give sqlite:FILE";
        return -EINVAL;
    }
    if (!must_exist && str_starts_with(str_from(options.path), str_from(settings->data))) {
        /* What goes wrong shows when the file is opened. */
        file_make_folders(settings->data);
    }
    return db_sqlite_open(&options, arena, ret_db, reterr_text);
}

int registry_open_database(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                           const char **reterr_text) {
    static const struct {
        const char *scheme;
        int (*open)(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                    const char **reterr_text);
    } engines[] = {{"sqlite:", open_sqlite}};
    const char *url = settings->database;

    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        if (str_starts_with(str_from(url), str_from(engines[i].scheme))) {
            int r = engines[i].open(settings, must_exist, arena, ret_db, reterr_text);
            return r < 0 ? err_trace(r) : r;
        }
    }
    /* Of the URL only the scheme: there may be a password in the rest. */
    *reterr_text = arena_printf(arena, "--database: there is no engine '%.*s'; give sqlite:FILE",
                                (int)strcspn(url, ":/@ "), url);
    return -EINVAL;
}

/* 0 or 1, or -EINVAL with a sentence. */
static int wants_migration(const Settings *settings, const Db *db, const char **reterr_text) {
    const char *when = settings->migrate_on_start;

    if (strcmp(when, "auto") == 0) {
        return db_dialect(db) == DB_DIALECT_SQLITE;
    }
    if (strcmp(when, "yes") != 0 && strcmp(when, "no") != 0) {
        *reterr_text = "--migrate-on-start is one of auto, yes and no";
        return -EINVAL;
    }
    return strcmp(when, "yes") == 0;
}

int registry_prepare_database(const Settings *settings, Db *db, Arena *arena, size_t *ret_n_applied,
                              const char **reterr_text) {
    MigrationList list;
    int wants = wants_migration(settings, db, reterr_text);
    int r;

    if (wants < 0) {
        return wants;
    }
    if (wants) {
        r = migrations_up(db, migrations_embedded, (unsigned)settings->db_partitions, arena,
                          ret_n_applied, reterr_text);
        return r > 0 ? -EINVAL : r;
    }
    r = migrations_list(db, migrations_embedded, arena, &list, reterr_text);
    if (r == 0 && list.n_pending > 0) {
        *reterr_text = arena_printf(arena,
                                    "the database lacks %zu of this version's migrations; run "
                                    "'imagesync migrate up' before, or start with "
                                    "--migrate-on-start yes",
                                    list.n_pending);
        return -EINVAL;
    }
    *ret_n_applied = 0;
    return r > 0 ? -EINVAL : r;
}

static uint64_t mib(uint64_t count) {
    return count << 20;
}

PoolOptions registry_pool_options(const Settings *settings) {
    return (PoolOptions){
        .binary = "/proc/self/exe",
        .workers = (unsigned)settings->workers,
        .worker_threads = (unsigned)settings->worker_threads,
        .inference_threads = (unsigned)settings->inference_threads,
        .models_dir = settings->models_dir,
        .model = settings->model,
        .cache_dir = settings->cache_dir,
        .queue_max = (uint32_t)settings->queue_max,
        .memory_max = mib(settings->memory_max_mib),
        .worker_memory_max = mib(settings->worker_memory_mib),
        .job_timeout_ms = (uint32_t)settings->job_timeout_s * 1000,
        .job_cpu_s = (uint32_t)settings->job_cpu_s,
        .pixels_max = settings->pixels_max_mp * 1000000,
        .side_max = (uint32_t)settings->side_max,
        .pages_max = (uint32_t)settings->pages_max,
        .matte_cache_max = mib(settings->matte_cache_mib),
        .log_level = settings->log_level,
    };
}
