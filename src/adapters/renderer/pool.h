/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The renderer as a pool of processes: N sandboxed decode workers and one inference process, all
 * re-executions of this binary, children of the process that owns the pool.
 *
 * A job waits in a bounded queue until its estimated memory fits under the cap, then goes to an
 * idle worker over a socket pair (JSON packets, memory files as SCM_RIGHTS). When the worker needs
 * a matte it writes pixels into shared memory and asks the pool, which hands that memory to the
 * inference process; so the one never talks to the other, and either can be restarted alone.
 */

#include "base/metrics.h"
#include "core/ports/renderer.h"

typedef struct PoolOptions {
    const char *binary; /* "/proc/self/exe" */
    unsigned workers;
    unsigned worker_threads;    /* of one render */
    unsigned inference_threads; /* 0: as many as processors */
    const char *models_dir;
    const char *model;          /* the default model's name; NULL: none, and no process for it */
    const char *cache_dir;      /* compiled models; NULL: none */
    uint32_t queue_max;         /* jobs that wait; more are RENDER_BUSY */
    uint64_t memory_max;        /* bytes of admitted jobs together */
    uint64_t worker_memory_max; /* address-space limit of one worker */
    uint32_t job_timeout_ms;    /* wall clock from its start in a worker */
    uint32_t job_cpu_s;         /* CPU seconds a job may burn in its worker */
    uint64_t pixels_max;        /* of an input */
    uint32_t side_max, pages_max;
    uint64_t matte_cache_max; /* bytes of mattes kept for the same photo asked for again; 0: none */
    const char *log_level;    /* passed on to the children */
    Metrics *metrics;         /* NULL: none */
} PoolOptions;

/*
 * Starts the processes; does not wait until the model is loaded (RendererStats.ready). Without a
 * model there are workers alone: what needs none is done, the rest is RENDER_UNKNOWN_MODEL.
 */
int renderer_pool_new(const PoolOptions *options, Renderer **ret_renderer);
