/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one list of settings: each is a line of a file, an environment variable and a flag. See
 * base/config.h for which source wins.
 */

#include "base/config.h"
#include "services/image/settings.h"
#include "services/sync/settings.h"
#include "services/user/settings.h"

/* Groups, as bits: which settings a command takes as options. */
enum {
    SETTINGS_GENERAL = 1 << 0,
    SETTINGS_RENDERING = 1 << 1,
    SETTINGS_SERVER = 1 << 2,
    SETTINGS_IMAGE = 1 << 3, /* of the image service */
    SETTINGS_MAIL = 1 << 4,
    SETTINGS_CACHE = 1 << 5,
    SETTINGS_DATABASE = 1 << 6,
    SETTINGS_USER = 1 << 7, /* of the user service */
    SETTINGS_STORAGE = 1 << 8,
    SETTINGS_SYNC = 1 << 9, /* of the sync service */
};
#define SETTINGS_GROUPS 10
#define SETTINGS_ALL    ((1u << SETTINGS_GROUPS) - 1)

typedef struct Settings {
    /* general */
    const char *config_file;
    const char *data; /* "" until settings_load() has chosen one */
    const char *log_level;

    /* rendering */
    const char *model;
    uint64_t workers, worker_threads, inference_threads;
    uint64_t queue_max;
    uint64_t memory_max_mib, worker_memory_mib;
    uint64_t job_timeout_s, job_cpu_s;
    uint64_t pixels_max_mp, side_max, pages_max;
    uint64_t matte_cache_mib;

    /* server */
    const char *listen;
    const char *tls_certificate, *tls_key; /* both or none */
    const char *services;
    const char *user_service, *user_service_ca; /* user_service "": it runs here */
    const char *sync_service;                   /* "": it runs here, or nowhere */
    uint64_t user_service_timeout_ms;
    const char *service_key; /* "" until chosen */
    const char *trusted_certificates, *client_certificate;
    const char *trusted_proxies;
    uint64_t http_threads, connections_max, connections_per_address_max;
    uint64_t body_memory_mib, idle_timeout_s, receive_timeout_s, drain_timeout_s;
    const char *fetch_allow;
    uint64_t fetch_threads, fetch_queue_max, fetch_timeout_s;
    uint64_t fetch_connect_timeout_s, fetch_redirects_max;

    ImageSettings image;

    /* mail */
    const char *mail, *mail_from;
    const char *mail_user, *mail_password, *mail_ca;
    bool mail_plain;
    uint64_t mail_timeout_s, mail_keep_days;

    /* cache */
    const char *cache;
    uint64_t cache_memory_mib;
    const char *cache_prefix;
    uint64_t cache_connections_max, cache_timeout_ms;

    /* database */
    const char *database; /* a URL; "" until settings_load() has chosen one */
    const char *db_replicas;
    uint64_t db_partitions, db_connections_max;
    const char *migrate_on_start;

    UserSettings user;
    const char *master_key, *master_key_command; /* master_key "" until chosen */
    uint64_t blocking_threads, blocking_queue_max;

    /* storage */
    const char *blobs; /* a folder or s3; "" until settings_load() has chosen one */
    const char *s3_endpoint, *s3_region, *s3_bucket, *s3_prefix;
    const char *s3_access_key, *s3_secret_key, *s3_ca;
    uint64_t s3_timeout_ms;
    const char *queue;
    const char *events, *events_config;

    SyncSettings sync;

    /* worked out by settings_load() */
    const char *models_dir, *cache_dir, *mail_dir;
} Settings;

/* The groups, with `settings` as the struct that is filled. */
void settings_groups(Settings *settings, ConfigGroup ret_groups[SETTINGS_GROUPS]);

/* Whether events are moved to somewhere else than the database. */
bool settings_events_are_relayed(const Settings *settings);

/* The setting of that name in the groups of the mask, or NULL. */
const ConfigField *settings_find(unsigned mask, const char *name);

typedef struct SettingFlag {
    const ConfigField *field;
    const char *value;
} SettingFlag;

/*
 * Loads defaults, file, environment and flags, in this order, and works out the folders and what
 * is chosen by the machine. Strings live in `arena` or the Config, which is given back because it
 * also tells where each value came from. `serving` decides what is logged by default. -EINVAL with
 * a sentence in *reterr_text.
 */
int settings_load(const SettingFlag *flags, size_t n_flags, bool serving, Arena *arena,
                  Settings *ret_settings, Config **ret_config, const char **reterr_text);
