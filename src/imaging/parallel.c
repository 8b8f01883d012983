/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/parallel.h"

#include "base/macro.h"

#include <pthread.h>
#include <stdbool.h>
#include <vips/vips.h>

#define THREADS_MAX 16

typedef struct Part {
    ParallelFn *fn;
    void *userdata;
    uint32_t from, to;
    pthread_t thread;
    bool started;
} Part;

static void *run_part(void *userdata) {
    Part *part = userdata;

    part->fn(part->userdata, part->from, part->to);
    return NULL;
}

void parallel_for(uint32_t count, uint32_t least, ParallelFn *fn, void *userdata) {
    uint32_t threads = (uint32_t)CLAMP(vips_concurrency_get(), 1, THREADS_MAX);
    uint32_t n = CLAMP(count / MAX(least, 1U), 1U, threads);
    Part parts[THREADS_MAX];

    for (uint32_t i = 0; i < n; i++) {
        parts[i] = (Part){.fn = fn,
                          .userdata = userdata,
                          .from = (uint32_t)((uint64_t)count * i / n),
                          .to = (uint32_t)((uint64_t)count * (i + 1) / n)};
        if (i > 0) {
            parts[i].started = pthread_create(&parts[i].thread, NULL, run_part, &parts[i]) == 0;
        }
    }
    run_part(&parts[0]);
    for (uint32_t i = 1; i < n; i++) {
        if (parts[i].started) {
            pthread_join(parts[i].thread, NULL);
        } else {
            run_part(&parts[i]);
        }
    }
}
