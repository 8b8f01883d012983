/* SPDX-License-Identifier: Apache-2.0 */
#include "app/registry.h"

#include "adapters/cache/memory/memory.h"
#include "adapters/cache/redis/redis.h"
#include "adapters/db/migrations.h"
#include "adapters/db/postgres/postgres.h"
#include "adapters/db/sqlite/sqlite.h"
#include "adapters/mail/folder/folder.h"
#include "adapters/mail/smtp/smtp.h"
#include "app/file_io.h"
#include "app/trouble_log.h"
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

static int read_parts(const char *text, Arena *arena, unsigned *ret_parts,
                      const char **reterr_text) {
    static const struct {
        Str name;
        unsigned parts;
    } names[] = {
        {str_lit("all"), PART_IMAGE | PART_USER | PART_SYNC | PART_WORKER},
        {str_lit("image"), PART_IMAGE | PART_WORKER},
        {str_lit("user"), PART_USER},
        {str_lit("sync"), PART_SYNC},
        {str_lit("worker"), PART_WORKER},
    };
    Str rest = str_from(text), word;
    unsigned parts = 0;

    while (str_next_token(&rest, ",", &word)) {
        size_t i = 0;
        word = str_trim(word);
        while (i < ARRAY_LEN(names) && !str_equal(word, names[i].name)) {
            i++;
        }
        if (i == ARRAY_LEN(names)) {
            *reterr_text = arena_printf(arena,
                                        "--services: there is no part '%.*s' in this version; "
                                        "there are user, image, sync and worker",
                                        (int)word.len, word.ptr);
            return -EINVAL;
        }
        parts |= names[i].parts;
    }
    *ret_parts = parts;
    return 0;
}

int registry_services(const Settings *settings, Arena *arena, unsigned *ret_parts,
                      const char **reterr_text) {
    bool elsewhere = settings->user_service[0] != '\0';
    unsigned parts;
    int r = read_parts(settings->services, arena, &parts, reterr_text);

    if (r < 0) {
        return r;
    }
    if (parts == PART_WORKER) {
        *reterr_text =
            "--services: workers run together with the part that they read pictures for; "
            "give 'user,worker', 'image' or 'all'";
        return -EINVAL;
    }
    if (!(parts & PART_USER) && !elsewhere) {
        *reterr_text = "--services image or sync: say with --user-service URL where the user part "
                       "runs, or for image alone with --user-service none that there is none";
        return -EINVAL;
    }
    if (parts & PART_SYNC && strcmp(settings->user_service, "none") == 0) {
        *reterr_text = "--services sync: a library is somebody's, so there has to be a user part; "
                       "say with --user-service URL where it runs";
        return -EINVAL;
    }
    if (parts & PART_USER && elsewhere) {
        *reterr_text = "--user-service is for a process without the user part; take it away, or "
                       "give --services image, sync or both";
        return -EINVAL;
    }
    *ret_parts = parts;
    return 0;
}

static int open_smtp(const Settings *settings, const MailSender *from, Mailer **ret_mailer) {
    uint32_t timeout_ms = (uint32_t)settings->mail_timeout_s * 1000;
    MailSmtpOptions options = {.url = settings->mail,
                               .user = settings->mail_user,
                               .password = settings->mail_password,
                               .ca_file = settings->mail_ca,
                               .plain = settings->mail_plain,
                               .connect_timeout_ms = MIN(timeout_ms, 10000),
                               .timeout_ms = timeout_ms};

    return mail_smtp_new(&options, from, ret_mailer);
}

int registry_open_mailer(const Settings *settings, Arena *arena, Mailer **ret_mailer,
                         const char **reterr_text) {
    MailSender from;
    int r;

    if (mail_sender_parse(settings->mail_from, arena, &from) < 0) {
        *reterr_text =
            arena_printf(arena, "mail-from: '%s' is no sender; give ADDRESS or NAME <ADDRESS>",
                         settings->mail_from);
        return -EINVAL;
    }
    if (strcmp(settings->mail, "folder") == 0) {
        r = mail_folder_new(settings->mail_dir, &from, ret_mailer);
        if (r < 0) {
            *reterr_text = arena_printf(arena, "cannot keep mail in %s: %s", settings->mail_dir,
                                        strerrordesc_np(-r));
        }
    } else {
        r = open_smtp(settings, &from, ret_mailer);
        if (r < 0) {
            *reterr_text = arena_printf(arena,
                                        "mail: '%s' is neither folder nor smtp://HOST:PORT nor "
                                        "smtps://HOST:PORT; the account is mail-user and "
                                        "mail-password",
                                        config_shown(arena, settings->mail));
        }
    }
    return r < 0 ? -EINVAL : 0;
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

static int open_postgres(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                         const char **reterr_text) {
    const char *replicas[DB_POSTGRES_REPLICAS_MAX];
    DbPostgresOptions options = {.url = settings->database,
                                 .replica_urls = replicas,
                                 .ca_file = settings->trusted_certificates,
                                 .tell = trouble_log,
                                 .pool_size = (unsigned)settings->db_connections_max};
    Str rest = str_from(settings->db_replicas), url;
    int r;

    (void)must_exist; /* the server has it or not; that shows with the first statement */
    while (str_next_token(&rest, " ", &url)) {
        if (url.len == 0) {
            continue;
        }
        if (options.n_replicas == DB_POSTGRES_REPLICAS_MAX) {
            *reterr_text = arena_printf(arena, "--db-replicas: more than %d of them",
                                        DB_POSTGRES_REPLICAS_MAX);
            return -EINVAL;
        }
        replicas[options.n_replicas++] = arena_strdup(arena, url);
    }
    r = db_postgres_new(&options, ret_db);
    if (r == -EINVAL) {
        *reterr_text = "--database or --db-replicas: not an address that libpq understands; give "
                       "postgresql://USER@HOST:PORT/NAME";
    } else if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot open the database: %s", strerrordesc_np(-r));
    }
    return r < 0 ? err_trace(r) : 0;
}

int registry_open_database(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                           const char **reterr_text) {
    static const struct {
        const char *scheme;
        int (*open)(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                    const char **reterr_text);
    } engines[] = {
        {"sqlite:", open_sqlite}, {"postgresql://", open_postgres}, {"postgres://", open_postgres}};
    const char *url = settings->database;

    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        if (str_starts_with(str_from(url), str_from(engines[i].scheme))) {
            int r = engines[i].open(settings, must_exist, arena, ret_db, reterr_text);
            return r < 0 ? err_trace(r) : r;
        }
    }
    /* Of the URL only the scheme: there may be a password in the rest. */
    *reterr_text = arena_printf(arena,
                                "--database: there is no engine '%.*s'; give sqlite:FILE "
                                "or postgresql://USER@HOST:PORT/NAME",
                                (int)strcspn(url, ":/@ "), url);
    return -EINVAL;
}

void registry_database_metrics(const Settings *settings, Db *db, Metrics *metrics) {
    if (str_starts_with(str_from(settings->database), str_lit("postgres"))) {
        db_postgres_register_metrics(db, metrics);
    }
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

TlsFiles registry_tls_files(const Settings *settings) {
    return (TlsFiles){.authorities = settings->trusted_certificates,
                      .own = settings->client_certificate};
}

bool registry_cache_is_shared(const Settings *settings) {
    return strcmp(settings->cache, "memory") != 0;
}

int registry_open_cache(const Settings *settings, Metrics *metrics, Cache **ret_cache,
                        const char **reterr_text) {
    CacheMemoryOptions memory = {.bytes_max = mib(settings->cache_memory_mib), .metrics = metrics};
    CacheRedisOptions redis = {.url = settings->cache,
                               .prefix = settings->cache_prefix,
                               .connections_max = (unsigned)settings->cache_connections_max,
                               .timeout_ms = (uint32_t)settings->cache_timeout_ms,
                               .files = registry_tls_files(settings),
                               .tell = trouble_log,
                               .metrics = metrics};
    Str choice = str_from(settings->cache);
    int r;

    *reterr_text = "the cache cannot be set up";
    if (!registry_cache_is_shared(settings)) {
        r = cache_memory_new(&memory, ret_cache);
    } else if (str_starts_with(choice, str_lit("redis"))) {
        r = cache_redis_new(&redis, ret_cache, reterr_text);
    } else {
        *reterr_text = "expected memory, redis://host:port, or rediss://host:port";
        r = -EINVAL;
    }
    return r < 0 ? err_trace(r) : 0;
}
