/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/wait.h"

#include <assert.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 32

static Pool *pool_of(Renderer *renderer) {
    return (Pool *)(void *)((char *)renderer - offsetof(Pool, renderer));
}

static int watch(Pool *pool, int fd, uint32_t source, bool end) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 1 | end};

    return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? err_trace(err_errno()) : 0;
}

int pool_watch(Pool *pool, const Process *process, uint32_t source) {
    int r = watch(pool, process->socket, source, false);
    return r < 0 ? r : watch(pool, process->pidfd, source, true);
}

static void wake(Pool *pool) {
    /* A full counter is awake enough. */
    if (write(pool->wake, &(uint64_t){1}, sizeof(uint64_t)) < 0) {
        return;
    }
}

static void handle(Pool *pool, uint64_t word) {
    uint32_t source = (uint32_t)(word >> 1);
    bool end = word & 1;
    uint64_t count;

    if (source == POOL_SOURCE_WAKE) {
        if (read(pool->wake, &count, sizeof(count)) < 0) {
            return;
        }
    } else if (source == POOL_SOURCE_INFERENCE) {
        end ? inference_on_end(pool) : inference_on_socket(pool);
    } else {
        Worker *worker = &pool->workers[source - POOL_SOURCE_WORKER];
        end ? worker_on_end(pool, worker) : worker_on_socket(pool, worker);
    }
}

/* No worker has been able to start for a while: those who wait should hear of it. */
static void give_up_waiting(Pool *pool) {
    for (unsigned i = 0; i < pool->options.workers; i++) {
        if (pool->workers[i].failures < FAILURES_MAX) {
            return;
        }
    }
    while (pool->queue) {
        job_finish(pool, queue_remove(pool, pool->queue->ticket), RENDER_FAULT, NULL);
    }
}

static void keep_up(Pool *pool) {
    uint64_t now_ms = clock_mono_ms();

    if (!pool->stopping && pool->options.model) {
        inference_keep_up(pool, now_ms);
    }
    if (!pool->stopping) {
        for (unsigned i = 0; i < pool->options.workers; i++) {
            worker_keep_up(pool, &pool->workers[i], now_ms);
        }
    }
    inference_check_time(pool, now_ms);
    for (unsigned i = 0; i < pool->options.workers; i++) {
        worker_check_time(pool, &pool->workers[i], now_ms);
    }
    give_up_waiting(pool);
    queue_dispatch(pool);
    inference_next(pool);
    pool_metrics_state(pool->metrics, pool);
}

/* Milliseconds until something is due; at most a second. */
static int next_due(const Pool *pool) {
    uint64_t now_ms = clock_mono_ms(), due = now_ms + 1000;

    for (unsigned i = 0; i < pool->options.workers; i++) {
        const Worker *worker = &pool->workers[i];
        if (worker->job) {
            due = MIN(due, worker->deadline_ms);
        } else if (worker->process.pid == 0) {
            due = MIN(due, worker->start_at_ms);
        }
    }
    if (pool->options.model && pool->inference.process.pid == 0) {
        due = MIN(due, pool->inference.start_at_ms);
    }
    return due > now_ms ? (int)(due - now_ms) : 0;
}

/* The callbacks run unlocked, so that they may submit and cancel. */
static void call_finished(Pool *pool) {
    while (pool->finished) {
        Job *job = pool->finished;
        pool->finished = job->next;
        pool_metrics_job(pool->metrics, &job->result);
        pthread_mutex_unlock(&pool->mutex);
        job->done(&job->result, job->userdata);
        job_free(job);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->unfinished == 0) {
            pthread_cond_broadcast(&pool->idle);
        }
    }
}

static void *run(void *userdata) {
    Pool *pool = userdata;
    struct epoll_event events[EVENTS_MAX];

    pthread_setname_np(pthread_self(), "render-pool");
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        int n, timeout_ms;
        keep_up(pool);
        call_finished(pool);
        if (pool->stopping && pool->unfinished == 0) {
            break;
        }
        timeout_ms = next_due(pool);
        pthread_mutex_unlock(&pool->mutex);
        n = epoll_wait(pool->epoll, events, EVENTS_MAX, timeout_ms);
        pthread_mutex_lock(&pool->mutex);
        for (int i = 0; i < n; i++) {
            handle(pool, events[i].data.u64);
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    /* Here, not in free(): the children end when the thread that started them does. */
    process_end(&pool->inference.process);
    for (unsigned i = 0; i < pool->options.workers; i++) {
        worker_end(&pool->workers[i]);
    }
    return NULL;
}

static Job *job_new(Pool *pool, const RenderJob *render, RenderDone *done, void *userdata) {
    Job *job = calloc(1, sizeof(*job));

    if (!job) {
        return NULL;
    }
    job->arena = arena_new();
    job->render = *render;
    if (render->op != RENDER_RENDER) {
        job->render.background.fd = -1;
    }
    if (render->op == RENDER_METADATA) {
        job->render.memory = 1; /* nothing but what it is given */
    }
    job->model =
        render->model ? arena_strdup(job->arena, str_from(render->model)) : pool->options.model;
    job->render.request_id =
        arena_strdup(job->arena, str_from(render->request_id ? render->request_id : ""));
    job->done = done;
    job->userdata = userdata;
    job->submitted_us = job->waiting_us = clock_mono_us();
    job->background_known = job->render.background.fd < 0;
    job->result.output_fd = -1;
    job->result.mezzanine = job->result.thumbnail = RENDER_FILE_NONE;
    job->result.detail = "";
    return job;
}

/* What can be said at once. True: the job goes on. */
static bool admit(Pool *pool, Job *job) {
    job->result.status = RENDER_OK;
    if (job->model && !model_name_valid(job->model)) {
        job->result.status = RENDER_UNKNOWN_MODEL;
        job->result.detail = "The model is not installed.";
    } else if (!pool->options.model && job_needs_model(job)) {
        job->result.status = RENDER_UNKNOWN_MODEL;
        job->result.detail = "Nothing is cut out here: there is no model.";
    } else if (job->render.op != RENDER_PROBE && job->render.memory > pool->options.memory_max) {
        job->result.status = RENDER_TOO_LARGE;
        job->result.detail = "The picture needs more memory than is allowed.";
    } else if (pool->draining || pool->stopping) {
        job->result.status = RENDER_BUSY;
        job->result.retry_after_s = queue_retry_after_s(pool);
    } else {
        queue_insert(pool, job);
        queue_dispatch(pool);
        if (pool->queued > pool->options.queue_max && queue_remove(pool, job->ticket)) {
            job->result.status = RENDER_BUSY;
            job->result.retry_after_s = queue_retry_after_s(pool);
        }
    }
    return job->result.status == RENDER_OK;
}

static bool side_valid(uint32_t side) {
    return side >= 1 && side <= RENDER_INGEST_SIDE_MAX;
}

static int submit(Renderer *self, const RenderJob *render, RenderDone *done, void *userdata,
                  uint64_t *ret_ticket) {
    Pool *pool = pool_of(self);
    Job *job = job_new(pool, render, done, userdata);
    bool goes_on;

    assert(render->op != RENDER_INGEST ||
           (side_valid(render->ingest.mezzanine_max) && side_valid(render->ingest.thumbnail_max) &&
            render->ingest.orientation <= 8));
    if (!job) {
        return err_trace(-ENOMEM);
    }
    pthread_mutex_lock(&pool->mutex);
    job->ticket = ++pool->last_ticket;
    *ret_ticket = job->ticket;
    goes_on = admit(pool, job);
    if (goes_on) {
        pool->unfinished++;
    } else {
        pool_metrics_job(pool->metrics, &job->result);
    }
    pthread_mutex_unlock(&pool->mutex);
    if (goes_on) {
        wake(pool);
        return 0;
    }
    done(&job->result, userdata);
    job_free(job);
    return 0;
}

static void cancel_locked(Pool *pool, uint64_t ticket) {
    Job *job = queue_remove(pool, ticket);

    for (unsigned i = 0; !job && i < pool->options.workers; i++) {
        Worker *worker = &pool->workers[i];
        if (worker->job && worker->job->ticket == ticket) {
            /* A codec in the middle of a picture cannot be told to stop. */
            job = worker_condemn(pool, worker);
        }
    }
    if (job) {
        job_finish(pool, job, RENDER_CANCELLED, NULL);
    }
}

static void cancel(Renderer *self, uint64_t ticket) {
    Pool *pool = pool_of(self);

    pthread_mutex_lock(&pool->mutex);
    cancel_locked(pool, ticket);
    pthread_mutex_unlock(&pool->mutex);
    wake(pool);
}

static void cancel_all(Pool *pool) {
    while (pool->queue) {
        cancel_locked(pool, pool->queue->ticket);
    }
    for (unsigned i = 0; i < pool->options.workers; i++) {
        if (pool->workers[i].job) {
            cancel_locked(pool, pool->workers[i].job->ticket);
        }
    }
}

static void stats(Renderer *self, RendererStats *ret_stats) {
    Pool *pool = pool_of(self);
    RendererStats found = {0};

    pthread_mutex_lock(&pool->mutex);
    for (unsigned i = 0; i < pool->options.workers; i++) {
        found.workers_alive += pool->workers[i].ready;
    }
    found.queued = pool->queued;
    found.running = pool->running;
    found.memory_admitted = pool->memory_admitted;
    found.memory_max = pool->options.memory_max;
    found.worker_restarts = pool->worker_restarts;
    found.inference_restarts = pool->inference_restarts;
    found.ready = (pool->inference.ready || !pool->options.model) && found.workers_alive > 0;
    pthread_mutex_unlock(&pool->mutex);
    *ret_stats = found;
}

static void drain(Renderer *self, uint32_t timeout_ms) {
    Pool *pool = pool_of(self);
    uint64_t until_ms = clock_mono_ms() + timeout_ms;

    pthread_mutex_lock(&pool->mutex);
    pool->draining = true;
    while (pool->unfinished > 0 && wait_until(&pool->idle, &pool->mutex, until_ms)) {
    }
    cancel_all(pool);
    wake(pool);
    while (pool->unfinished > 0) {
        pthread_cond_wait(&pool->idle, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
}

static void release(Pool *pool) {
    fd_close(pool->epoll);
    fd_close(pool->wake);
    matte_cache_free(pool->mattes);
    free(pool->metrics);
    arena_free(pool->arena);
    pthread_cond_destroy(&pool->idle);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

static Renderer *pool_free(Renderer *self) {
    Pool *pool = pool_of(self);

    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    cancel_all(pool);
    pthread_mutex_unlock(&pool->mutex);
    wake(pool);
    pthread_join(pool->thread, NULL);
    release(pool);
    return NULL;
}

static const RendererImpl pool_impl = {
    .submit = submit,
    .cancel = cancel,
    .stats = stats,
    .drain = drain,
    .free = pool_free,
};

static const char *copy(Pool *pool, const char *text) {
    return text ? arena_strdup(pool->arena, str_from(text)) : NULL;
}

static void init(Pool *pool, const PoolOptions *options) {
    pool->renderer.impl = &pool_impl;
    pool->arena = arena_new();
    pool->options = *options;
    pool->options.binary = copy(pool, options->binary);
    pool->options.models_dir = copy(pool, options->models_dir);
    pool->options.model = copy(pool, options->model);
    pool->options.cache_dir = copy(pool, options->cache_dir);
    pool->options.log_level = copy(pool, options->log_level);
    pool->options.workers = CLAMP(options->workers, 1u, (unsigned)WORKERS_MAX);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->job_ms = 1500;
    pool->inference.process = PROCESS_NONE;
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        pool->workers[i].process = PROCESS_NONE;
        pool->workers[i].output = pool->workers[i].thumbnail = pool->workers[i].tensor = -1;
    }
    if (options->matte_cache_max > 0) {
        pool->mattes = matte_cache_new(options->matte_cache_max);
    }
    pool->metrics = pool_metrics_new(options->metrics);
}

int renderer_pool_new(const PoolOptions *options, Renderer **ret_renderer) {
    Pool *pool = calloc(1, sizeof(*pool));
    int r;

    if (!pool) {
        return err_trace(-ENOMEM);
    }
    init(pool, options);
    r = pool->epoll < 0 || pool->wake < 0 ? err_errno() : watch(pool, pool->wake, 0, false);
    if (r == 0) {
        r = -pthread_create(&pool->thread, NULL, run, pool);
    }
    if (r < 0) {
        release(pool);
        return err_trace(r);
    }
    *ret_renderer = &pool->renderer;
    return 0;
}
