/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one list of services and adapters: what the settings choose is built here. */

#include "adapters/renderer/pool.h"
#include "app/settings.h"
#include "base/crypto/tls.h"
#include "core/ports/blobs.h"
#include "core/ports/cache.h"
#include "core/ports/db.h"
#include "core/ports/event_sink.h"
#include "core/ports/mail.h"
#include "core/ports/queue.h"

/*
 * Looks whether the default model can be had at all, before a process is started for it. 0; or
 * -ENOENT or -EINVAL with a sentence that says what to do in *reterr_text.
 */
int registry_check_model(const Settings *settings, Arena *arena, const char **reterr_text);

/* The parts of a process; bits. */
enum {
    PART_IMAGE = 1 << 0,
    PART_USER = 1 << 1,
    PART_SYNC = 1 << 2,
    PART_WORKER = 1 << 3, /* what reads pictures: always there with the image part */
};

/*
 * Which parts --services names, and whether the other settings go with them. 0, or -EINVAL with a
 * sentence.
 */
int registry_services(const Settings *settings, Arena *arena, unsigned *ret_parts,
                      const char **reterr_text);

/*
 * Opens what sends mail. -EINVAL with a sentence that names the setting, also when the folder
 * cannot be had; a mail server is not asked yet.
 */
int registry_open_mailer(const Settings *settings, Arena *arena, Mailer **ret_mailer,
                         const char **reterr_text);

/*
 * Opens the database that the settings name by its URL. 0; -ENOENT when it `must_exist` and does
 * not; or a fault, both with a sentence.
 */
int registry_open_database(const Settings *settings, bool must_exist, Arena *arena, Db **ret_db,
                           const char **reterr_text);

/* Its metrics, where it has some; they outlive it. */
void registry_database_metrics(const Settings *settings, Db *db, Metrics *metrics);

/*
 * Brings the tables up to date, or only looks whether they are, as migrate-on-start says; counts
 * what was applied. 0, or -EINVAL or a fault with a sentence that says what to do.
 */
int registry_prepare_database(const Settings *settings, Db *db, Arena *arena, size_t *ret_n_applied,
                              const char **reterr_text);

/* What the settings say of the renderer; strings are the settings'. */
PoolOptions registry_pool_options(const Settings *settings);

/* Files for servers that are spoken to by OpenSSL; strings are the settings'. */
TlsFiles registry_tls_files(const Settings *settings);

/* Whether the cache that the settings choose is one that processes share. */
bool registry_cache_is_shared(const Settings *settings);

/*
 * The cache that the settings choose, with its metrics. A Redis that cannot be reached is no fault:
 * the cache finds it later. 0; -EINVAL with a sentence (without secrets); or -ENOMEM, -EAGAIN.
 */
int registry_open_cache(const Settings *settings, Metrics *metrics, Cache **ret_cache,
                        const char **reterr_text);

/*
 * The store of blobs that the settings choose. `id` "": its first use; else it has to be that store
 * (core/ports/blobs.h). 0; or a fault with a sentence that says what to do.
 */
int registry_open_blobs(const Settings *settings, const char *id, Arena *arena, Blobs **ret_blobs,
                        char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr_text);

typedef enum QueueUse {
    QUEUE_USE_SERVE, /* by a server: does its jobs */
    QUEUE_USE_LOOK,  /* beside a server that may have some of them under way */
} QueueUse;

/* The queue that the settings choose, with its metrics (NULL: none). 0; or a fault with a sentence.
 */
int registry_open_queue(const Settings *settings, Db *db, QueueUse use, Metrics *metrics,
                        Arena *arena, Queue **ret_queue, const char **reterr_text);

/* Where events are moved to, when they are (settings_events_are_relayed()). 0; or a fault with a
 * sentence. */
int registry_open_events(const Settings *settings, Arena *arena, EventSink **ret_sink,
                         const char **reterr_text);
