/* SPDX-License-Identifier: Apache-2.0 */
#include "app/image_part.h"

#include "adapters/access/http/access_http.h"
#include "app/service_key.h"
#include "base/error.h"
#include "base/log.h"

/* Users' keys have threads of their own, so that they do not wait behind passwords. */
#define ACCESS_THREADS        4
#define REMOTE_ACCESS_THREADS 16

static int start_fetching(const ImagePartBase *base, Arena *arena, ImagePart *part,
                          const char **reterr_text) {
    const Settings *settings = base->settings;
    FetchOptions fetch = {
        .threads = (unsigned)settings->fetch_threads,
        .queue_max = (unsigned)settings->fetch_queue_max,
        .size_max = (size_t)settings->image.file_max_mib << 20,
        .timeout_ms = (uint32_t)settings->fetch_timeout_s * 1000,
        .connect_timeout_ms = (uint32_t)settings->fetch_connect_timeout_s * 1000,
        .redirects_max = (unsigned)settings->fetch_redirects_max,
        .guard = base->guard,
    };
    int r = fetcher_new(&fetch, &part->fetcher);

    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot start the fetcher: %s", strerrordesc_np(-r));
    }
    return r;
}

/* It may come later, or be mended: what can be served without it is. */
static void say_whether_reached(Access *remote) {
    int r = access_http_ping(remote);

    if (r == -EACCES) {
        log_error("user service refuses our service token: the service keys differ");
    } else if (r < 0) {
        log_warn("user service unreachable, refusing users' keys until it answers");
    }
}

static int connect_user_service(const ImagePartBase *base, Arena *arena, ImagePart *part,
                                const char **reterr_text) {
    const Settings *settings = base->settings;
    AccessHttpOptions options = {.url = settings->user_service,
                                 .ca_file = settings->user_service_ca,
                                 .timeout_ms = (uint32_t)settings->user_service_timeout_ms,
                                 .cache = base->cache,
                                 .metrics = base->metrics};
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL;
    const char *reason = "";
    int r = service_key_open(settings, false, arena, &keys, reterr_text);

    if (r < 0) {
        return r;
    }
    r = service_signer_new(keys, SERVICE_IMAGE, SERVICE_USER, &part->signer);
    if (r < 0) {
        *reterr_text = strerrordesc_np(-r);
        return r;
    }
    options.signer = part->signer;
    r = access_http_new(&options, &part->remote, &reason);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "--user-service '%s': %s", options.url, reason);
        return r;
    }
    say_whether_reached(part->remote);
    return 0;
}

static int start_access(const ImagePartBase *base, Arena *arena, ImagePart *part,
                        const char **reterr_text) {
    const Settings *settings = base->settings;
    int r = 0;

    if (!base->access && strcmp(settings->user_service, "none") == 0) {
        return 0;
    }
    if (!base->access) {
        r = connect_user_service(base, arena, part, reterr_text);
    }
    if (r < 0) {
        return r;
    }
    r = executor_new(
        &(ExecutorOptions){.name = "access",
                           .threads = part->remote ? REMOTE_ACCESS_THREADS : ACCESS_THREADS,
                           .queue_max = (unsigned)settings->connections_max * 2,
                           .metrics = base->metrics},
        &part->access_executor);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot start threads: %s", strerrordesc_np(-r));
    }
    return r;
}

int image_part_start(const ImagePartBase *base, Arena *arena, ImagePart *ret_part,
                     const char **reterr_text) {
    ImageServiceOptions options = {.metrics = base->metrics,
                                   .settings = &base->settings->image,
                                   .listen_address = base->listen_address,
                                   .data_dir = base->settings->data};
    int r = start_access(base, arena, ret_part, reterr_text);

    if (r == 0) {
        r = start_fetching(base, arena, ret_part, reterr_text);
    }
    if (r < 0) {
        return r;
    }
    options.renderer = base->renderer;
    options.fetcher = ret_part->fetcher;
    options.access = base->access ? base->access : ret_part->remote;
    options.executor = ret_part->access_executor;
    return image_service_new(&options, &ret_part->service, reterr_text);
}

void image_part_end_requests(ImagePart *part) {
    if (part->access_executor) {
        executor_drain(part->access_executor, UINT32_MAX);
    }
    /* What is still fetched ends here, and tells the service so. */
    if (part->fetcher) {
        fetcher_free(TAKE_PTR(part->fetcher));
    }
}

void image_part_done(ImagePart *part) {
    executor_free(part->access_executor);
    if (part->service) {
        image_service_free(part->service);
    }
    access_http_free(part->remote);
    service_signer_free(part->signer);
    *part = (ImagePart){0};
}
