/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_part.h"

#include "app/service_key.h"
#include "base/error.h"
#include "base/log.h"
#include "services/sync/store_id.h"

static int start_executors(const SyncPartBase *base, SyncPart *part) {
    const Settings *settings = base->settings;
    int r = executor_new(&(ExecutorOptions){.name = "library",
                                            .threads = (unsigned)settings->blocking_threads,
                                            .queue_max = (unsigned)settings->blocking_queue_max,
                                            .metrics = base->metrics},
                         &part->executor);

    if (r == 0) {
        r = executor_new(&(ExecutorOptions){.name = "uploads",
                                            .threads = (unsigned)settings->blocking_threads,
                                            .queue_max = (unsigned)settings->connections_max * 2,
                                            .metrics = base->metrics},
                         &part->upload_executor);
    }
    return r < 0 ? err_trace(r) : 0;
}

/* That store and no other which this database has known since its first start. */
static int open_blobs(const SyncPartBase *base, Arena *arena, SyncPart *part,
                      const char **reterr_text) {
    char known[BLOB_STORE_ID_LEN + 1], id[BLOB_STORE_ID_LEN + 1];
    int r = sync_store_id_get(base->db, known);

    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot read which store of files is the database's: %s",
                                    strerrordesc_np(-r));
        return r;
    }
    r = registry_open_blobs(base->settings, known, arena, &part->blobs, id, reterr_text);
    if (r == 0 && known[0] == '\0') {
        r = sync_store_id_keep(base->db, id);
        if (r < 0) {
            *reterr_text =
                arena_printf(arena, "cannot note the store of files: %s", strerrordesc_np(-r));
        }
    }
    return r;
}

/* By its token, when it asks us. */
static int know_user_service(const SyncPartBase *base, Arena *arena, SyncPart *part,
                             const char **reterr_text) {
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL;
    int r = service_key_open(base->settings, false, arena, &keys, reterr_text);

    if (r == 0) {
        r = service_verifier_new(keys, SERVICE_USER, SERVICE_SYNC, &part->user_verifier);
        if (r < 0) {
            *reterr_text = strerrordesc_np(-r);
        }
    }
    return r;
}

int sync_part_start(const SyncPartBase *base, Arena *arena, SyncPart *ret_part,
                    const char **reterr_text) {
    SyncPart *part = ret_part;
    SyncServiceOptions options = {.db = base->db,
                                  .renderer = base->renderer,
                                  .metrics = base->metrics,
                                  .relays = settings_events_are_relayed(base->settings),
                                  .settings = &base->settings->sync,
                                  .arena = arena};
    int r = open_blobs(base, arena, part, reterr_text);

    if (r == 0) {
        r = registry_open_queue(base->settings, base->db, QUEUE_USE_SERVE, base->metrics, arena,
                                &part->queue, reterr_text);
    }
    if (r == 0 && !base->access) {
        r = user_client_start(base->settings, SERVICE_SYNC, base->cache, base->metrics, arena,
                              &part->remote, reterr_text);
    }
    if (r == 0 && !base->access) {
        r = know_user_service(base, arena, part, reterr_text);
    }
    if (r == 0) {
        r = relay_part_start(base->settings, base->db, base->metrics, arena, &part->relay,
                             reterr_text);
    }
    if (r < 0) {
        return r;
    }
    *reterr_text = NULL;
    r = start_executors(base, part);
    if (r == 0) {
        options.user_verifier = part->user_verifier;
        options.access = base->access ? base->access : part->remote.access;
        options.blobs = part->blobs;
        options.queue = part->queue;
        options.executor = part->executor;
        options.upload_executor = part->upload_executor;
        r = sync_service_new(&options, &part->service, reterr_text);
    }
    if (r < 0 && !*reterr_text) {
        *reterr_text =
            arena_printf(arena, "cannot start the sync service: %s", strerrordesc_np(-r));
    }
    return r;
}

void sync_part_listening(SyncPart *part) {
    int r = sync_service_start(part->service);

    if (r < 0) {
        log_error("no jobs of the library are done here", LOG_STR("error", strerrordesc_np(-r)));
    }
}

void sync_part_drain(SyncPart *part, uint32_t timeout_ms) {
    sync_service_stop(part->service);
    executor_drain(part->executor, timeout_ms);
    executor_drain(part->upload_executor, timeout_ms);
    part->relay = relay_part_free(part->relay);
}

void sync_part_end_requests(SyncPart *part) {
    if (part->service) {
        sync_service_stop(part->service);
    }
    if (part->executor) {
        executor_drain(part->executor, UINT32_MAX);
    }
    if (part->upload_executor) {
        executor_drain(part->upload_executor, UINT32_MAX);
    }
}

void sync_part_done(SyncPart *part) {
    if (part->service) {
        sync_service_stop(part->service);
    }
    executor_free(part->executor);
    executor_free(part->upload_executor);
    if (part->service) {
        sync_service_free(part->service);
    }
    user_client_done(&part->remote);
    service_verifier_free(part->user_verifier);
    relay_part_free(part->relay);
    queue_free(part->queue);
    blobs_free(part->blobs);
    *part = (SyncPart){0};
}
