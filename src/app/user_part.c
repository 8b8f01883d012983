/* SPDX-License-Identifier: Apache-2.0 */
#include "app/user_part.h"

#include "adapters/cache/memory/memory.h"
#include "adapters/library_service/http/library_service_http.h"
#include "app/key_access.h"
#include "app/registry.h"
#include "app/service_key.h"
#include "base/error.h"
#include "base/log.h"

#define LOCAL_CACHE_MAX ((size_t)8 << 20)
#define PROFILES_MAX    ((size_t)16 << 20)
#define MAIL_THREADS    2
#define MORE_THREADS    2 /* than hash at a time: one reads its row meanwhile */
#define PASSWORD_NICE   5 /* a third of the others' weight where they compete */
#define SERVICE_THREADS 8
/* For one try to have a piece of somebody's library. */
#define LIBRARY_TIMEOUT_MS 30000
#define MAIL_QUEUE_MAX     1000

static int start_executors(const UserPartBase *base, UserPart *part) {
    const Settings *settings = base->settings;
    int r = executor_new(&(ExecutorOptions){.name = "blocking",
                                            .threads = (unsigned)settings->blocking_threads,
                                            .queue_max = (unsigned)settings->blocking_queue_max,
                                            .metrics = base->metrics},
                         &part->executor);

    if (r == 0) {
        r = executor_new(
            &(ExecutorOptions){.name = "passwords",
                               .threads = (unsigned)settings->user.password_parallel + MORE_THREADS,
                               .queue_max = (unsigned)settings->blocking_queue_max,
                               .metrics = base->metrics,
                               .nice = PASSWORD_NICE},
            &part->password_executor);
    }
    if (r == 0) {
        r = executor_new(&(ExecutorOptions){.name = "mail",
                                            .threads = MAIL_THREADS,
                                            .queue_max = MAIL_QUEUE_MAX,
                                            .metrics = base->metrics},
                         &part->mail_executor);
    }
    return r < 0 ? err_trace(r) : 0;
}

static int start_for_services(const UserPartBase *base, Arena *arena, UserPart *part,
                              const char **reterr_text) {
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL;
    int r = service_key_open(base->settings, true, arena, &keys, reterr_text);

    if (r < 0) {
        return r;
    }
    if (base->serves_image) {
        r = service_verifier_new(keys, SERVICE_IMAGE, SERVICE_USER, &part->image_verifier);
    }
    if (r == 0 && base->serves_sync) {
        r = service_verifier_new(keys, SERVICE_SYNC, SERVICE_USER, &part->sync_verifier);
    }
    if (r == 0) {
        r = executor_new(
            &(ExecutorOptions){.name = "service",
                               .threads = SERVICE_THREADS,
                               .queue_max = (unsigned)base->settings->blocking_queue_max,
                               .metrics = base->metrics},
            &part->service_executor);
    }
    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot serve services: %s", strerrordesc_np(-r));
    }
    return r;
}

/* Where the sync service is when it runs elsewhere. */
static int find_libraries(const UserPartBase *base, Arena *arena, UserPart *part,
                          const char **reterr_text) {
    const Settings *settings = base->settings;
    LibraryServiceHttpOptions options = {.url = settings->sync_service,
                                         .ca_file = settings->user_service_ca,
                                         .timeout_ms = LIBRARY_TIMEOUT_MS};
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL;
    const char *reason = "";
    int r = service_key_open(settings, true, arena, &keys, reterr_text);

    if (r < 0) {
        return r;
    }
    r = service_signer_new(keys, SERVICE_USER, SERVICE_SYNC, &part->sync_signer);
    if (r < 0) {
        *reterr_text = strerrordesc_np(-r);
        return r;
    }
    options.signer = part->sync_signer;
    r = library_service_http_new(&options, &part->libraries, &reason);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "--sync-service '%s': %s",
                                    config_shown(arena, options.url), reason);
    }
    return r;
}

int user_part_start(const UserPartBase *base, Arena *arena, UserPart *ret_part,
                    const char **reterr_text) {
    UserPart *part = ret_part;
    UserServiceOptions options = {.db = base->db,
                                  .cache = base->cache,
                                  .mailer = base->mailer,
                                  .metrics = base->metrics,
                                  .settings = &base->settings->user,
                                  .arena = arena};
    int r = key_access_open(base->settings, true, arena, &part->master_keys, reterr_text);

    if (r < 0) {
        return r;
    }
    if (base->serves_image || base->serves_sync) {
        r = start_for_services(base, arena, part, reterr_text);
    }
    if (r == 0 && base->settings->sync_service[0] != '\0') {
        r = find_libraries(base, arena, part, reterr_text);
    }
    if (r < 0) {
        return r;
    }
    r = start_executors(base, part);
    if (r == 0) {
        r = cache_memory_new(&(CacheMemoryOptions){.bytes_max = LOCAL_CACHE_MAX},
                             &part->local_cache);
    }
    if (r == 0) {
        r = cache_memory_new(&(CacheMemoryOptions){.bytes_max = PROFILES_MAX},
                             &part->profile_cache);
    }
    if (r == 0) {
        options.executor = part->executor;
        options.password_executor = part->password_executor;
        options.mail_executor = part->mail_executor;
        options.local_cache = part->local_cache;
        options.profile_cache = part->profile_cache;
        options.cache_is_shared = registry_cache_is_shared(base->settings);
        options.master_key = part->master_keys;
        options.image_verifier = part->image_verifier;
        options.sync_verifier = part->sync_verifier;
        options.reads_replicas = base->settings->db_replicas[0] != '\0';
        options.service_executor = part->service_executor;
        *reterr_text = NULL;
        r = user_service_new(&options, &part->service, reterr_text);
        if (r == 0) {
            user_service_set_libraries(part->service, part->libraries);
        }
    } else {
        *reterr_text = NULL;
    }
    if (r < 0 && !*reterr_text) {
        *reterr_text =
            arena_printf(arena, "cannot start the user service: %s", strerrordesc_np(-r));
    }
    return r;
}

void user_part_listening(UserPart *part) {
    int r = user_service_start(part->service);

    if (r < 0) {
        log_error("nothing is done in the background", LOG_STR("error", strerrordesc_np(-r)));
    }
}

void user_part_reload_keys(UserPart *part) {
    const char *reason = "";
    int r = master_key_ring_reload(part->master_keys, &reason);

    if (r == 0) {
        log_info("master keys read");
    } else {
        log_error("master keys not read", LOG_STR("error", r > 0 ? reason : strerrordesc_np(-r)));
    }
    user_service_reload_keys(part->service);
}

void user_part_drain(UserPart *part, uint32_t timeout_ms) {
    user_service_stop(part->service);
    if (part->service_executor) {
        executor_drain(part->service_executor, timeout_ms);
    }
    executor_drain(part->executor, timeout_ms);
    executor_drain(part->password_executor, timeout_ms);
    executor_drain(part->mail_executor, timeout_ms);
}

void user_part_end_requests(UserPart *part) {
    if (part->executor) {
        executor_drain(part->executor, UINT32_MAX);
    }
}

void user_part_done(UserPart *part) {
    if (part->service) {
        user_service_stop(part->service);
    }
    executor_free(part->executor);
    executor_free(part->password_executor);
    executor_free(part->mail_executor);
    executor_free(part->service_executor);
    if (part->service) {
        user_service_free(part->service);
    }
    service_verifier_free(part->image_verifier);
    service_verifier_free(part->sync_verifier);
    library_service_http_free(part->libraries);
    service_signer_free(part->sync_signer);
    cache_free(part->profile_cache);
    cache_free(part->local_cache);
    if (part->master_keys) {
        master_key_ring_free(part->master_keys);
    }
    *part = (UserPart){0};
}
