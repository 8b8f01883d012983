/* SPDX-License-Identifier: Apache-2.0 */
#include "app/image_part.h"

#include "base/error.h"

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

static int start_access(const ImagePartBase *base, Arena *arena, ImagePart *part,
                        const char **reterr_text) {
    const Settings *settings = base->settings;
    int r = 0;

    if (!base->access && strcmp(settings->user_service, "none") == 0) {
        return 0;
    }
    if (!base->access) {
        r = user_client_start(settings, SERVICE_IMAGE, base->cache, base->metrics, arena,
                              &part->remote, reterr_text);
    }
    if (r < 0) {
        return r;
    }
    r = executor_new(
        &(ExecutorOptions){.name = "access",
                           .threads = part->remote.access ? REMOTE_ACCESS_THREADS : ACCESS_THREADS,
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
    options.access = base->access ? base->access : ret_part->remote.access;
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
    user_client_done(&part->remote);
    *part = (ImagePart){0};
}
