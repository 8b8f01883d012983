/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_private.h"

#include "base/clock.h"
#include "base/fd.h"

#include <math.h>

static bool runs_before(const Job *a, const Job *b) {
    if (a->render.priority != b->render.priority) {
        return a->render.priority > b->render.priority;
    }
    return a->ticket < b->ticket;
}

void queue_insert(Pool *pool, Job *job) {
    Job **place = &pool->queue;

    while (*place && runs_before(*place, job)) {
        place = &(*place)->next;
    }
    job->next = *place;
    *place = job;
    pool->queued++;
}

static Job *take(Pool *pool, Job **place) {
    Job *job = *place;

    *place = job->next;
    job->next = NULL;
    pool->queued--;
    return job;
}

Job *queue_remove(Pool *pool, uint64_t ticket) {
    for (Job **place = &pool->queue; *place; place = &(*place)->next) {
        if ((*place)->ticket == ticket) {
            return take(pool, place);
        }
    }
    return NULL;
}

bool job_needs_model(const Job *job) {
    return job->render.op == RENDER_RENDER && job->render.recipe.square == 0;
}

const RenderSource *job_to_probe(const Job *job) {
    if (job->render.op == RENDER_PROBE || job->render.memory == 0) {
        return &job->render.input;
    }
    return job->background_known ? NULL : &job->render.background;
}

uint64_t job_memory(const Job *job, const ImageInfo *info) {
    uint64_t memory = job->render.op == RENDER_INGEST
                          ? render_ingest_memory(&job->render.ingest, info)
                          : render_memory(&job->render.recipe, info);

    return MAX(memory, (uint64_t)1);
}

static bool fits(const Pool *pool, const Job *job) {
    return job->render.memory <= pool->options.memory_max - pool->memory_admitted;
}

/* The size that its pixels are to have for the model; NULL: not known yet. */
static const ModelSize *size_for(Pool *pool, const Job *job) {
    static const ModelSize any = {0};

    return job_needs_model(job) ? inference_model(pool, job->model) : &any;
}

/*
 * The first job that may run now. A job that does not fit into memory yet lets smaller ones pass,
 * but only so many: after that, memory drains until it fits.
 */
static Job *pick(Pool *pool, const ModelSize **ret_model) {
    bool closed = false;

    for (Job **place = &pool->queue; *place; place = &(*place)->next) {
        Job *job = *place;
        *ret_model = NULL;
        if (job_to_probe(job)) {
            return take(pool, place);
        }
        if (closed || !(*ret_model = size_for(pool, job))) {
            continue;
        }
        if (fits(pool, job)) {
            for (Job *before = pool->queue; before != job; before = before->next) {
                before->passed_by += !job_to_probe(before) && !fits(pool, before);
            }
            return take(pool, place);
        }
        closed = job->passed_by >= PASSED_BY_MAX;
    }
    return NULL;
}

void queue_dispatch(Pool *pool) {
    for (unsigned i = 0; i < pool->options.workers && pool->queue; i++) {
        Worker *worker = &pool->workers[i];
        const ModelSize *model;
        Job *job;
        if (!worker_idle(worker)) {
            continue;
        }
        job = pick(pool, &model);
        if (!job) {
            return;
        }
        worker_give(pool, worker, job, model);
    }
}

uint32_t queue_retry_after_s(const Pool *pool) {
    double wait_ms = pool->job_ms * (pool->queued + 1) / pool->options.workers;

    return (uint32_t)CLAMP(ceil(wait_ms / 1000.0), 1.0, 300.0);
}

void job_finish(Pool *pool, Job *job, RenderStatus status, const char *detail) {
    Job **last = &pool->finished;
    RenderTimings *timings = &job->result.timings;

    job->result.status = status;
    job->result.detail = arena_strdup(job->arena, str_from(detail ? detail : ""));
    timings->total = (double)(clock_mono_us() - job->submitted_us) / 1000.0;
    timings->queue = job->queue_ms;
    timings->inference = job->inference_ms;
    while (*last) {
        last = &(*last)->next;
    }
    job->next = NULL;
    *last = job;
}

void job_free(Job *job) {
    fd_close(job->result.output_fd);
    fd_close(job->result.mezzanine.fd);
    fd_close(job->result.thumbnail.fd);
    arena_free(job->arena);
    free(job);
}
