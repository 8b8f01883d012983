/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/ingest.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"
#include "services/sync/jobs.h"
#include "services/sync/photo/ingest_job.h"
#include "services/sync/photo/reingest.h"
#include "services/sync/photo_add.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS_MAX 16
#define WAIT_MS     1000
#define PAUSE_S     1
#define BUSY_MAX    60 /* times a job waits for the renderer before another gets it */

typedef struct Worker {
    Ingest *ingest;
    pthread_t thread;
    Renders *renders;
} Worker;

struct Ingest {
    SyncService *service;
    atomic_bool ending;
    uint64_t reingest_us; /* by clock_mono_us(), from when on older photos are sought again */
    pthread_mutex_t lock;
    pthread_cond_t end;
    unsigned n_workers;
    Worker workers[THREADS_MAX];
    Metric *counts[_INGEST_END_MAX];
};

/* Or until it ends. */
static void pause_s(Ingest *ingest, unsigned s) {
    uint64_t until_ms = clock_mono_ms() + (uint64_t)s * 1000;

    pthread_mutex_lock(&ingest->lock);
    if (!atomic_load(&ingest->ending)) {
        wait_until(&ingest->end, &ingest->lock, until_ms);
    }
    pthread_mutex_unlock(&ingest->lock);
}

static void settle(SyncService *service, const QueueLease *lease, const IngestEnd *end) {
    Queue *queue = service->options.queue;
    int r;

    if (end->kind == INGEST_END_LATER || end->kind == INGEST_END_POISON) {
        r = queue_fail(queue, lease, end->reason,
                       end->kind == INGEST_END_LATER ? QUEUE_RETRY_BACKOFF : QUEUE_RETRY_NEVER);
    } else if (end->kind == INGEST_END_STOPPED) {
        r = queue_fail(queue, lease, end->reason, 0);
    } else {
        r = queue_done(queue, lease);
    }
    if (r < 0) {
        log_warn("a job of the library is done, and its queue not told",
                 LOG_STR("error", strerrordesc_np(-r)));
    }
}

static void work(Worker *worker, const QueueLease *lease, Arena *arena) {
    Ingest *ingest = worker->ingest;
    SyncService *service = ingest->service;
    IngestEnd end;

    for (unsigned i = 0;; i++) {
        ingest_job(service, worker->renders, lease, arena, &end);
        if (end.kind != INGEST_END_BUSY) {
            break;
        }
        if (i == BUSY_MAX || atomic_load(&ingest->ending) ||
            queue_extend(service->options.queue, lease, INGEST_VISIBILITY_MS) != 0) {
            end = (IngestEnd){INGEST_END_STOPPED, "too much is under way"};
            break;
        }
        pause_s(ingest, MAX(end.retry_after_s, 1U));
    }
    if (end.kind == INGEST_END_LATER || end.kind == INGEST_END_POISON) {
        log_warn("a photo's file was not read", LOG_STR("reason", end.reason),
                 LOG_INT("attempt", lease->attempt));
    }
    metric_add(ingest->counts[end.kind], 1);
    settle(service, lease, &end);
}

/* There are no jobs, for the moment. */
static void rest(Ingest *ingest) {
    SyncService *service = ingest->service;
    int r = 0;

    jobs_move(service); /* what a crash left between a commit and the queue */
    if (clock_mono_us() >= ingest->reingest_us) {
        r = reingest_some(service);
        ingest->reingest_us =
            clock_mono_us() + service->options.settings->reingest_every_s * 1000000;
    }
    if (r < 0) {
        log_warn("older photos wait", LOG_STR("error", strerrordesc_np(-r)));
    }
}

static void *run(void *userdata) {
    static const char *const kinds[] = {PHOTO_JOB_INGEST, PHOTO_JOB_REINGEST};
    const QueueTake take = {kinds, ARRAY_LEN(kinds), "ingest", INGEST_VISIBILITY_MS, WAIT_MS};
    Worker *worker = userdata;
    Ingest *ingest = worker->ingest;
    SyncService *service = ingest->service;

    pthread_setname_np(pthread_self(), "ingest");
    while (!atomic_load(&ingest->ending)) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        QueueLease lease;
        int r = queue_take(service->options.queue, &take, arena, &lease);
        if (r == 0) {
            work(worker, &lease, arena);
        } else if (r < 0) {
            pause_s(ingest, PAUSE_S);
        } else if (worker == &ingest->workers[0]) {
            rest(ingest);
        }
    }
    return NULL;
}

static void register_metrics(Ingest *ingest, Metrics *metrics) {
    static const char *const labels[_INGEST_END_MAX] = {
        [INGEST_END_READY] = "result=\"ready\"",
        [INGEST_END_UNREADABLE] = "result=\"unreadable\"",
        [INGEST_END_NOTHING] = "result=\"nothing\"",
        [INGEST_END_LATER] = "result=\"later\"",
        [INGEST_END_POISON] = "result=\"poison\"",
        [INGEST_END_STOPPED] = "result=\"stopped\"",
        [INGEST_END_BUSY] = "result=\"busy\"",
    };

    for (int i = 0; i < _INGEST_END_MAX; i++) {
        ingest->counts[i] = metrics_counter(metrics, "imagesync_ingests_total", labels[i],
                                            "Photos looked into, by what became of it.");
    }
}

int ingest_start(SyncService *service, unsigned threads, Ingest **ret_ingest) {
    Ingest *ingest = calloc(1, sizeof(*ingest));
    int r = 0;

    if (!ingest) {
        abort();
    }
    ingest->service = service;
    pthread_mutex_init(&ingest->lock, NULL);
    pthread_cond_init(&ingest->end, NULL);
    register_metrics(ingest, service->options.metrics);
    while (r == 0 && ingest->n_workers < MIN(threads, (unsigned)THREADS_MAX)) {
        Worker *worker = &ingest->workers[ingest->n_workers];
        *worker = (Worker){.ingest = ingest, .renders = renders_new(service->options.renderer)};
        r = -pthread_create(&worker->thread, NULL, run, worker);
        if (r == 0) {
            ingest->n_workers++;
        } else {
            renders_free(worker->renders);
        }
    }
    if (r < 0) {
        ingest_stop(ingest);
        return err_trace(r);
    }
    *ret_ingest = ingest;
    return 0;
}

Ingest *ingest_stop(Ingest *ingest) {
    if (!ingest) {
        return NULL;
    }
    pthread_mutex_lock(&ingest->lock);
    atomic_store(&ingest->ending, true);
    pthread_cond_broadcast(&ingest->end);
    pthread_mutex_unlock(&ingest->lock);
    for (unsigned i = 0; i < ingest->n_workers; i++) {
        renders_stop(ingest->workers[i].renders);
    }
    for (unsigned i = 0; i < ingest->n_workers; i++) {
        pthread_join(ingest->workers[i].thread, NULL);
        renders_free(ingest->workers[i].renders);
    }
    pthread_cond_destroy(&ingest->end);
    pthread_mutex_destroy(&ingest->lock);
    free(ingest);
    return NULL;
}
