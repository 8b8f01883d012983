/* SPDX-License-Identifier: Apache-2.0 */
#include "app/renderer_part.h"

#include "base/error.h"

int renderer_part_start(const Settings *settings, unsigned parts, Metrics *metrics, Arena *arena,
                        Renderer **ret_renderer, const char **reterr_text) {
    PoolOptions options = registry_pool_options(settings);
    int r;

    if (!(parts & PART_WORKER)) {
        *ret_renderer = NULL;
        return 0;
    }
    if (!(parts & PART_IMAGE)) {
        options.model = NULL;
        options.matte_cache_max = 0;
    }
    options.metrics = metrics;
    r = renderer_pool_new(&options, ret_renderer);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "cannot start the workers: %s", strerrordesc_np(-r));
        return err_trace(r);
    }
    return 0;
}
