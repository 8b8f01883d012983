/* SPDX-License-Identifier: Apache-2.0 */
#include "app/settings.h"

#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT(member) offsetof(Settings, member)
#define TEXT(name, member, init, ...)                                                              \
    { name, CONFIG_STR, AT(member), init, 0, 0, NULL, __VA_ARGS__ }
#define NUMBER(name, member, init, min, max, unit, ...)                                            \
    { name, CONFIG_U64, AT(member), init, min, max, unit, __VA_ARGS__ }

static const ConfigField general_fields[] = {
    TEXT("config", config_file, "", "A file of settings, a line 'name = value' each."),
    TEXT("data", data, "",
         "The folder of models, caches and all that is kept. Default: var in the current folder "
         "when there is one, else imagesync in $XDG_DATA_HOME or ~/.local/share."),
    TEXT("log-level", log_level, "",
         "What is logged: debug, info, warn, error or off. Default: info when serving, else warn."),
    {0},
};

static const ConfigField rendering_fields[] = {
    TEXT("model", model, "isnet-general-use", "The model that finds the subject."),
    NUMBER("workers", workers, "0", 0, 256, NULL,
           "Decode workers, each a sandboxed process. 0: one a processor, at most 4."),
    NUMBER("worker-threads", worker_threads, "0", 0, 64, NULL,
           "Threads of one worker. 0: one a processor, at most 4."),
    NUMBER("inference-threads", inference_threads, "0", 0, 256, NULL,
           "Threads of the model. 0: one a processor."),
    NUMBER("queue-max", queue_max, "64", 1, 100000, NULL,
           "Pictures that may wait for a worker; more are turned away."),
    NUMBER("memory-max-mib", memory_max_mib, "0", 0, 1 << 24, "MiB",
           "Estimated memory of the pictures under way together. 0: half of the machine's."),
    NUMBER("worker-memory-mib", worker_memory_mib, "4096", 256, 1 << 24, "MiB",
           "Address space of one worker."),
    NUMBER("job-timeout-s", job_timeout_s, "120", 1, 3600, "s", "Longest time for one picture."),
    NUMBER("job-cpu-s", job_cpu_s, "120", 1, 3600, "s",
           "Most processor time that one picture may take in its worker."),
    NUMBER("pixels-max-mp", pixels_max_mp, "100", 1, 10000, "MP",
           "Most megapixels of a picture that comes in."),
    NUMBER("side-max", side_max, "65500", 64, 1000000, "px",
           "Longest side of a picture that comes in."),
    NUMBER("pages-max", pages_max, "2000", 1, 1000000, NULL,
           "Most frames or pages of a picture that comes in; only the first is used."),
    NUMBER("matte-cache-mib", matte_cache_mib, "64", 0, 1 << 20, "MiB",
           "Memory for what was found in recent pictures, should they come again. 0: none."),
    {0},
};

static const ConfigField mail_fields[] = {
    TEXT("mail", mail, "folder",
         "How mail is sent: folder writes a file each to mail in the data folder; or "
         "smtp://HOST:PORT (with STARTTLS) or smtps://HOST:PORT."),
    TEXT("mail-from", mail_from, "Image Sync <no-reply@localhost>",
         "Who mail comes from: NAME <ADDRESS> or ADDRESS."),
    TEXT("mail-user", mail_user, "", "The account at the mail server, if it wants one."),
    {"mail-password", CONFIG_SECRET, AT(mail_password), "", 0, 0, NULL,
     "The password of mail-user."},
    TEXT("mail-ca", mail_ca, "",
         "A PEM file of the authorities that the mail server's certificate may come from. Default: "
         "those of trusted-certificates."),
    {"mail-plain", CONFIG_BOOL, AT(mail_plain), "no", 0, 0, NULL,
     "Whether a mail server without STARTTLS may be used, unencrypted."},
    NUMBER("mail-timeout-s", mail_timeout_s, "30", 1, 600, "s",
           "Longest time to hand a mail over."),
    NUMBER("mail-keep-days", mail_keep_days, "30", 0, 36500, "d",
           "How long mails in the folder are kept; 0 for ever."),
    {0},
};

static const ConfigField server_fields[] = {
    TEXT("listen", listen, "127.0.0.1:8080",
         "Where to serve: ADDRESS:PORT, [IPV6]:PORT or PORT. Port 0: any free one."),
    TEXT("tls-certificate", tls_certificate, "",
         "A PEM file: the server's certificate and those that lead to its root. With tls-key the "
         "server speaks HTTPS; both are read again when they change."),
    TEXT("tls-key", tls_key, "", "A PEM file: the certificate's private key, not encrypted."),
    TEXT("services", services, "all",
         "Which parts run here, with commas between: user, image (with its workers and the model), "
         "sync, worker (to read pictures beside user or sync), or all of them."),
    TEXT("user-service", user_service, "",
         "Where the other parts find the user part when that runs in another process: "
         "http://HOST:PORT, past any public proxy; or none, for the image part with the "
         "configuration's keys alone."),
    TEXT("user-service-ca", user_service_ca, "",
         "A PEM file of the authorities that the user service's certificate, and that of "
         "sync-service, may come from. Default: those of trusted-certificates."),
    TEXT("sync-service", sync_service, "",
         "Where the user part finds the sync part when that runs in another process, for the "
         "photos in the copies of their data that people ask for, and to have them erased: "
         "http://HOST:PORT, past any public proxy. Without it those copies hold the account alone, "
         "and nobody's library is erased."),
    NUMBER("user-service-timeout-ms", user_service_timeout_ms, "2000", 10, 60000, "ms",
           "Longest time for one try to ask the user service."),
    TEXT("service-key", service_key, "",
         "The file of the key by which parts in several processes know each other: the same for "
         "all, and only for their owner to read. Default: service.key in the data folder, made by "
         "the user part when it is not there."),
    TEXT("trusted-certificates", trusted_certificates, "",
         "A PEM file of the authorities that the certificates of the servers that this one talks "
         "to may come from: database, cache, queue, events, S3, mail and the other parts. Default: "
         "the system's."),
    TEXT("client-certificate", client_certificate, "",
         "A PEM file of a certificate, those that lead to its root, and its private key, for a "
         "Redis or RabbitMQ that asks for one."),
    TEXT("trusted-proxies", trusted_proxies, "",
         "Ranges of addresses whose X-Forwarded-For is believed: 127.0.0.2/32,10.0.0.0/8. Only "
         "proxies may have addresses in them."),
    NUMBER("http-threads", http_threads, "2", 1, 64, NULL, "Threads that talk to clients."),
    NUMBER("connections-max", connections_max, "16384", 1, 100000, NULL,
           "Most connections; fewer when the system does not allow so many open files."),
    NUMBER("connections-per-address-max", connections_per_address_max, "0", 0, 100000, NULL,
           "Most connections of one address. 0: no limit of its own."),
    NUMBER("body-memory-mib", body_memory_mib, "1024", 32, 1 << 24, "MiB",
           "Memory of all requests' bodies together; more are told to come back."),
    NUMBER("idle-timeout-s", idle_timeout_s, "60", 1, 3600, "s",
           "How long a connection may stay silent."),
    NUMBER("receive-timeout-s", receive_timeout_s, "60", 1, 3600, "s",
           "Longest time for a request to arrive as a whole; of an upload in pieces, for silence."),
    NUMBER("drain-timeout-s", drain_timeout_s, "30", 0, 3600, "s",
           "How long requests under way may go on when the server is told to stop."),
    TEXT("fetch-allow", fetch_allow, "",
         "Ranges that image_url may lead to though they are not public: 10.1.0.0/16,fd00::/8."),
    NUMBER("fetch-threads", fetch_threads, "4", 1, 64, NULL, "Fetches at the same time."),
    NUMBER("fetch-queue-max", fetch_queue_max, "64", 1, 100000, NULL, "Fetches that may wait."),
    NUMBER("fetch-timeout-s", fetch_timeout_s, "20", 1, 600, "s", "Longest time for a fetch."),
    NUMBER("fetch-connect-timeout-s", fetch_connect_timeout_s, "5", 1, 600, "s",
           "Longest time to connect for a fetch."),
    NUMBER("fetch-redirects-max", fetch_redirects_max, "3", 0, 20, NULL,
           "Most redirects that a fetch follows."),
    {0},
};

static const ConfigField cache_fields[] = {
    {"cache", CONFIG_SECRET, AT(cache), "memory", 0, 0, NULL,
     "Where what may be forgotten is kept: memory (of this process), or "
     "redis://[[user]:password@]host[:port][/database], which all processes share; rediss:// for "
     "TLS. A password belongs in the environment or a file, as flags can be seen by others."},
    NUMBER("cache-memory-mib", cache_memory_mib, "64", 2, 1 << 20, "MiB",
           "Memory of the cache in this process."),
    TEXT("cache-prefix", cache_prefix, "imagesync/",
         "What every key in Redis begins with, so that others may use it too."),
    NUMBER("cache-connections-max", cache_connections_max, "16", 1, 10000, NULL,
           "Most connections to Redis."),
    NUMBER("cache-timeout-ms", cache_timeout_ms, "250", 1, 60000, "ms",
           "Longest time for one look-up in Redis; what is late is done without it."),
    {0},
};

static const ConfigField database_fields[] = {
    TEXT("master-key", master_key, "",
         "The file of the key that all others are wrapped with: only its owner may read it. "
         "Without it nothing in the database can be read: keep a copy elsewhere. Default: "
         "master.key in the data folder, made when it is not there."),
    TEXT("master-key-command", master_key_command, "",
         "A command that prints the master key instead, such as the client of a key management "
         "service; words are separated by blanks, there is no shell."),
    NUMBER("blocking-threads", blocking_threads, "8", 1, 1024, NULL,
           "Threads for requests that wait for the database."),
    NUMBER("blocking-queue-max", blocking_queue_max, "512", 1, 100000, NULL,
           "Requests that may wait for such a thread; more get 503."),
    /* May hold a password, so it is never printed. */
    {"database", CONFIG_SECRET, AT(database), "", 0, 0, NULL,
     "Where accounts and all that belongs to them are kept: sqlite:FILE, or "
     "postgresql://USER@HOST:PORT[,HOST2:PORT2]/NAME, with ?sslmode=verify-full for TLS. Default: "
     "imagesync.db in the data folder."},
    {"db-replicas", CONFIG_SECRET, AT(db_replicas), "", 0, 0, NULL,
     "PostgreSQL servers that follow the primary and may answer reads, with blanks between."},
    NUMBER("db-connections-max", db_connections_max, "10", 1, 1000, NULL,
           "Most connections to the primary, and to each replica."),
    NUMBER("db-partitions", db_partitions, "16", 0, 1024, NULL,
           "Partitions of each table of users' rows, for engines that have partitions; fixed when "
           "a table is made. 0: none, for engines that place rows by themselves."),
    TEXT("migrate-on-start", migrate_on_start, "auto",
         "Whether the server brings the database's tables up to date when it starts: yes, no, or "
         "auto, which is yes for SQLite only."),
    {0},
};

static const ConfigField storage_fields[] = {
    TEXT("blobs", blobs, "",
         "Where the files of libraries are kept, encrypted: a folder, or s3 for a bucket. Default: "
         "blobs in the data folder."),
    TEXT("s3-endpoint", s3_endpoint, "",
         "The address of the S3 store: http://HOST:PORT or https://HOST:PORT."),
    TEXT("s3-region", s3_region, "us-east-1", "The region of the S3 store."),
    TEXT("s3-bucket", s3_bucket, "", "The bucket, which must be there."),
    TEXT("s3-prefix", s3_prefix, "",
         "What the names of all objects begin with, so that others may use the bucket too."),
    TEXT("s3-access-key", s3_access_key, "", "The id of the key for the bucket."),
    {"s3-secret-key", CONFIG_SECRET, AT(s3_secret_key), "", 0, 0, NULL,
     "The secret of the key for the bucket."},
    TEXT("s3-ca", s3_ca, "",
         "A PEM file of the authorities that the store's certificate may come from. Default: "
         "those of trusted-certificates."),
    NUMBER("s3-timeout-ms", s3_timeout_ms, "30000", 100, 600000, "ms",
           "Longest time for one try to reach the S3 store."),
    {"queue", CONFIG_SECRET, AT(queue), "sql", 0, 0, NULL,
     "Where jobs wait: sql (the database), or amqp://user:password@host:port/vhost for RabbitMQ, "
     "amqps:// with TLS. A password belongs in the environment or a file, as flags can be seen by "
     "others."},
    TEXT("events", events, "sql",
         "Where what happens in libraries is also told, for those who count and watch: sql (only "
         "in the database), or kafka://HOST:PORT[,HOST:PORT]/PREFIX."),
    TEXT("events-config", events_config, "",
         "A file of settings of Kafka's client, a line 'name = value' each, such as those of TLS "
         "and SASL; read again after each failure."),
    {0},
};

bool settings_events_are_relayed(const Settings *settings) {
    return strcmp(settings->events, "sql") != 0;
}

void settings_groups(Settings *settings, ConfigGroup ret_groups[SETTINGS_GROUPS]) {
    ret_groups[0] = (ConfigGroup){"General", general_fields, settings};
    ret_groups[1] = (ConfigGroup){"Rendering", rendering_fields, settings};
    ret_groups[2] = (ConfigGroup){"Server", server_fields, settings};
    ret_groups[3] =
        (ConfigGroup){"Image service", image_settings_fields, settings ? &settings->image : NULL};
    ret_groups[4] = (ConfigGroup){"Mail", mail_fields, settings};
    ret_groups[5] = (ConfigGroup){"Cache", cache_fields, settings};
    ret_groups[6] = (ConfigGroup){"Database", database_fields, settings};
    ret_groups[7] =
        (ConfigGroup){"User service", user_settings_fields, settings ? &settings->user : NULL};
    ret_groups[8] = (ConfigGroup){"Storage", storage_fields, settings};
    ret_groups[9] =
        (ConfigGroup){"Sync service", sync_settings_fields, settings ? &settings->sync : NULL};
}

const ConfigField *settings_find(unsigned mask, const char *name) {
    ConfigGroup groups[SETTINGS_GROUPS];

    settings_groups(NULL, groups);
    for (size_t i = 0; i < SETTINGS_GROUPS; i++) {
        for (const ConfigField *field = groups[i].fields; field->name; field++) {
            if (mask & 1u << i && strcmp(field->name, name) == 0) {
                return field;
            }
        }
    }
    return NULL;
}

static bool is_folder(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static const char *choose_data(Arena *arena) {
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (is_folder("var")) {
        return "var";
    }
    if (xdg && xdg[0] == '/') {
        return arena_printf(arena, "%s/imagesync", xdg);
    }
    return home && home[0] ? arena_printf(arena, "%s/.local/share/imagesync", home) : "var";
}

static const char *either(const char *text, const char *otherwise) {
    return text[0] != '\0' ? text : otherwise;
}

/* What is 0 or empty so far and chosen by the machine. */
static void choose_rest(Settings *settings, Arena *arena) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t few = (uint64_t)CLAMP(processors, 1, 4);
    uint64_t pages = (uint64_t)MAX(sysconf(_SC_PHYS_PAGES), 1);
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

    if (settings->data[0] == '\0') {
        settings->data = choose_data(arena);
    }
    settings->models_dir = arena_printf(arena, "%s/models", settings->data);
    settings->cache_dir = arena_printf(arena, "%s/cache", settings->data);
    settings->mail_dir = arena_printf(arena, "%s/mail", settings->data);
    if (settings->master_key[0] == '\0') {
        settings->master_key = arena_printf(arena, "%s/master.key", settings->data);
    }
    if (settings->service_key[0] == '\0') {
        settings->service_key = arena_printf(arena, "%s/service.key", settings->data);
    }
    if (settings->database[0] == '\0') {
        settings->database = arena_printf(arena, "sqlite:%s/imagesync.db", settings->data);
    }
    if (settings->blobs[0] == '\0') {
        settings->blobs = arena_printf(arena, "%s/blobs", settings->data);
    }
    settings->mail_ca = either(settings->mail_ca, settings->trusted_certificates);
    settings->s3_ca = either(settings->s3_ca, settings->trusted_certificates);
    settings->user_service_ca = either(settings->user_service_ca, settings->trusted_certificates);
    if (settings->workers == 0) {
        settings->workers = few;
    }
    if (settings->worker_threads == 0) {
        settings->worker_threads = few;
    }
    if (settings->memory_max_mib == 0) {
        settings->memory_max_mib = MAX(pages / 2 * page_size >> 20, (uint64_t)256);
    }
}

/* The file is named by a flag or the environment, so it is looked for before either is loaded. */
static const char *config_file(const SettingFlag *flags, size_t n_flags) {
    const char *path = getenv("IMAGESYNC_CONFIG");

    for (size_t i = 0; i < n_flags; i++) {
        if (strcmp(flags[i].field->name, "config") == 0) {
            path = flags[i].value;
        }
    }
    return path && path[0] ? path : NULL;
}

int settings_load(const SettingFlag *flags, size_t n_flags, bool serving, Arena *arena,
                  Settings *ret_settings, Config **ret_config, const char **reterr_text) {
    _cleanup_(config_freep) Config *config = NULL;
    ConfigGroup groups[SETTINGS_GROUPS];
    const char *file = config_file(flags, n_flags);
    LogLevel level;
    int r;

    *ret_settings = (Settings){0};
    settings_groups(ret_settings, groups);
    config = config_new(groups, SETTINGS_GROUPS);
    r = config_load_defaults(config);
    if (r == 0 && file) {
        r = config_load_file(config, file);
    }
    if (r == 0) {
        r = config_load_environment(config);
    }
    for (size_t i = 0; i < n_flags && r == 0; i++) {
        r = config_set(config, flags[i].field->name, flags[i].value, "flag");
    }
    if (r < 0) {
        *reterr_text = arena_strdup(arena, str_from(config_error(config)));
        return -EINVAL;
    }
    if (ret_settings->log_level[0] == '\0') {
        ret_settings->log_level = serving ? "info" : "warn";
    }
    if (!log_level_parse(ret_settings->log_level, &level)) {
        *reterr_text =
            arena_printf(arena, "log-level '%s' is none of debug, info, warn, error, off",
                         ret_settings->log_level);
        return -EINVAL;
    }
    choose_rest(ret_settings, arena);
    *ret_config = TAKE_PTR(config);
    return 0;
}
