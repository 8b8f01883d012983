/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside the pool. One thread owns the processes; one mutex guards everything below, and is never
 * held while a job's `done` runs. pool.c is the port and the thread, queue.c decides what runs
 * next, workers.c and inference.c talk to the two kinds of children.
 */

#include "adapters/renderer/matte_cache.h"
#include "adapters/renderer/pool.h"
#include "adapters/renderer/process.h"

#include "base/ipc.h"

#include <pthread.h>

#define WORKERS_MAX    64
#define MODELS_MAX     16  /* whose input size is remembered */
#define PASSED_BY_MAX  8   /* smaller jobs that may overtake one that waits for memory */
#define ATTEMPTS_MAX   2   /* of a job whose worker, or whose inference process, died */
#define BACK_OFF_MS    100 /* doubled for each start that failed in a row */
#define BACK_OFF_MAX   5000
#define FAILURES_MAX   5     /* starts that failed in a row before waiting jobs are given up */
#define START_MAX_MS   30000 /* until a worker says it is ready */
#define OUTPUT_LEN_MAX ((uint64_t)1 << 30)

typedef enum MatteState {
    MATTE_NONE,    /* not asked for yet */
    MATTE_WAITING, /* its pixels are ready */
    MATTE_RUNNING, /* in the inference process */
    MATTE_GIVEN,   /* answered, which happens once a run */
} MatteState;

typedef struct Job {
    struct Job *next;
    uint64_t ticket; /* also the order of arrival */
    RenderJob render;
    Arena *arena;      /* copies of strings, and the result's detail */
    const char *model; /* NULL: the default one of a pool that has none */
    RenderDone *done;
    void *userdata;
    bool probing; /* its worker looks at a header only: the picture's, then the background's */
    bool background_known; /* its memory is in render.memory, or there is none */
    unsigned passed_by, attempts, matte_attempts;
    MatteState matte;
    int matte_status; /* RenderStatus of the inference */
    bool has_key;
    MatteKey key;
    uint64_t submitted_us, started_us, waiting_us; /* waiting_us: since when, for its turn */
    double queue_ms, inference_ms;
    RenderResult result;
} Job;

typedef struct Worker {
    Process process;
    bool ready, condemned; /* condemned: killed by us, its end is no surprise */
    unsigned failures;     /* starts in a row that did not become ready */
    uint64_t started_ms, start_at_ms;
    Job *job;
    uint64_t deadline_ms;
    int output;    /* memory file that its job's result goes to: a rendition, or the mezzanine */
    int thumbnail; /* the same of an ingest's second result */
    int tensor;    /* memory shared with the inference process */
    uint32_t tensor_width, tensor_height;
} Worker;

typedef struct ModelSize {
    char name[MODEL_NAME_MAX + 1];
    uint32_t width, height; /* 0: asked for */
} ModelSize;

typedef struct Inference {
    Process process;
    bool ready;
    unsigned failures;
    uint64_t start_at_ms;
    Worker *running; /* whose matte it is working on, NULL when that worker has gone meanwhile */
    uint64_t running_id, deadline_ms; /* running_id 0: idle */
    ModelSize models[MODELS_MAX];
} Inference;

typedef struct Pool {
    Renderer renderer;
    PoolOptions options;
    Arena *arena; /* of the options' strings */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* signalled when no job is left */
    int epoll, wake;
    bool draining, stopping;
    uint64_t last_ticket;
    Job *queue; /* by priority, then arrival */
    Job *finished;
    uint32_t queued, running, unfinished; /* unfinished: whose done() has not returned yet */
    uint64_t memory_admitted, worker_restarts, inference_restarts;
    double job_ms; /* moving mean of what a job takes in its worker */
    MatteCache *mattes;
    struct PoolMetrics *metrics;
    Inference inference;
    Worker workers[WORKERS_MAX];
} Pool;

/* epoll's word for an event: which child and which of its two descriptors. */
enum {
    POOL_SOURCE_WAKE,
    POOL_SOURCE_INFERENCE,
    POOL_SOURCE_WORKER
};
int pool_watch(Pool *pool, const Process *process, uint32_t source);

/* queue.c */
/* Whether the subject is looked for: all else is done without the inference process. */
bool job_needs_model(const Job *job);
/* Whether a header must be looked at before it can be rendered, and which. */
const RenderSource *job_to_probe(const Job *job);
/* What it takes at its peak, of a picture with that header; never 0. */
uint64_t job_memory(const Job *job, const ImageInfo *info);
void queue_insert(Pool *pool, Job *job);
Job *queue_remove(Pool *pool, uint64_t ticket);
void queue_dispatch(Pool *pool); /* gives idle workers what may run */
uint32_t queue_retry_after_s(const Pool *pool);

/* Ends a job: takes its memory off the books and lines it up for its done(). */
void job_finish(Pool *pool, Job *job, RenderStatus status, const char *detail);
void job_free(Job *job);

/* workers.c */
void worker_keep_up(Pool *pool, Worker *worker, uint64_t now_ms); /* starts it when it is due */
void worker_on_socket(Pool *pool, Worker *worker);
void worker_on_end(Pool *pool, Worker *worker);
void worker_check_time(Pool *pool, Worker *worker, uint64_t now_ms);
bool worker_idle(const Worker *worker);
/* `model` NULL: its header is probed. A width of 0: whatever memory there is will do; an ingest
 * looks at none. */
void worker_give(Pool *pool, Worker *worker, Job *job, const ModelSize *model);
/* Tells the worker that its matte is there, or that there will be none. */
void worker_answer_matte(Pool *pool, Worker *worker, RenderStatus status);
/* Kills it; its job, if any, is the caller's from now on. */
Job *worker_condemn(Pool *pool, Worker *worker);
void worker_end(Worker *worker);

/* inference.c */
void inference_keep_up(Pool *pool, uint64_t now_ms);
void inference_on_socket(Pool *pool);
void inference_on_end(Pool *pool);
void inference_check_time(Pool *pool, uint64_t now_ms);
void inference_next(Pool *pool); /* hands it the next matte when it is idle */
void inference_forget(Pool *pool, const Worker *worker);
/* The size, or NULL: not known yet, and asked for. */
const ModelSize *inference_model(Pool *pool, const char *name);

/* metrics.c */
struct PoolMetrics *pool_metrics_new(Metrics *metrics);
void pool_metrics_job(struct PoolMetrics *metrics, const RenderResult *result);
void pool_metrics_state(struct PoolMetrics *metrics, const Pool *pool);
