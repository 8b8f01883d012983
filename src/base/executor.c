/* SPDX-License-Identifier: Apache-2.0 */
#include "base/executor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define NAME_LEN_MAX 15 /* as long as a thread's name may be */

typedef struct Job {
    ExecutorWork *work;
    void *userdata;
    uint64_t since_us;
} Job;

struct Executor {
    char name[NAME_LEN_MAX + 1];
    pthread_t *threads;
    unsigned n_threads; /* started */

    pthread_mutex_t lock;
    pthread_cond_t wanted; /* there is a job, or the end is near */
    pthread_cond_t idle;   /* nothing waits or runs */
    Job *jobs;             /* a ring of `capacity` */
    unsigned capacity, first, n_jobs, n_running;
    int nice;
    bool closed;    /* takes nothing more */
    bool cancelled; /* what waits is not run */

    Metric *queued, *running, *wait_s, *rejected; /* NULL: not measured */
};

static void register_metrics(Executor *executor, Metrics *metrics) {
    char labels[64];

    snprintf(labels, sizeof(labels), "executor=\"%s\"", executor->name);
    executor->queued = metrics_gauge(metrics, "imagesync_executor_queued", labels,
                                     "Blocking work that waits for a thread.");
    executor->running =
        metrics_gauge(metrics, "imagesync_executor_running", labels, "Blocking work under way.");
    executor->wait_s = metrics_histogram(metrics, "imagesync_executor_wait_seconds", labels,
                                         "Time that blocking work waits for a thread.");
    executor->rejected = metrics_counter(metrics, "imagesync_executor_rejected_total", labels,
                                         "Blocking work turned away because too much waits.");
}

/* With the lock held. */
static void show(Executor *executor) {
    if (executor->queued) {
        metric_set(executor->queued, executor->n_jobs);
        metric_set(executor->running, executor->n_running);
    }
}

/* With the lock held and a job in the ring. */
static Job take_job(Executor *executor) {
    Job job = executor->jobs[executor->first];

    executor->first = (executor->first + 1) % executor->capacity;
    executor->n_jobs--;
    executor->n_running++;
    show(executor);
    return job;
}

/* On Linux a priority is a thread's own. It is only a wish, so that a refusal changes nothing. */
static void step_back(int by) {
    id_t self = (id_t)gettid();

    if (by > 0) {
        setpriority(PRIO_PROCESS, self, MIN(getpriority(PRIO_PROCESS, self) + by, 19));
    }
}

static void *run(void *userdata) {
    Executor *executor = userdata;

    pthread_setname_np(pthread_self(), executor->name);
    step_back(executor->nice);
    pthread_mutex_lock(&executor->lock);
    for (;;) {
        Job job;
        bool cancelled;
        while (executor->n_jobs == 0 && !executor->cancelled) {
            pthread_cond_wait(&executor->wanted, &executor->lock);
        }
        if (executor->n_jobs == 0) {
            break;
        }
        job = take_job(executor);
        cancelled = executor->cancelled;
        pthread_mutex_unlock(&executor->lock);
        if (executor->wait_s) {
            metric_observe(executor->wait_s, (double)(clock_mono_us() - job.since_us) / 1e6);
        }
        job.work(job.userdata, cancelled);
        pthread_mutex_lock(&executor->lock);
        executor->n_running--;
        show(executor);
        if (executor->n_jobs == 0 && executor->n_running == 0) {
            pthread_cond_broadcast(&executor->idle);
        }
    }
    pthread_mutex_unlock(&executor->lock);
    return NULL;
}

int executor_new(const ExecutorOptions *options, Executor **ret_executor) {
    _cleanup_(executor_freep) Executor *executor = calloc(1, sizeof(*executor));

    assert(options->threads > 0 && options->queue_max > 0);
    assert(strlen(options->name) <= NAME_LEN_MAX);
    if (!executor || !(executor->threads = calloc(options->threads, sizeof(pthread_t))) ||
        !(executor->jobs = calloc(options->queue_max, sizeof(Job)))) {
        abort();
    }
    memcpy(executor->name, options->name, strlen(options->name));
    executor->capacity = options->queue_max;
    executor->nice = options->nice;
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->wanted, NULL);
    pthread_cond_init(&executor->idle, NULL);
    if (options->metrics) {
        register_metrics(executor, options->metrics);
    }
    while (executor->n_threads < options->threads) {
        int r = pthread_create(&executor->threads[executor->n_threads], NULL, run, executor);
        if (r != 0) {
            return err_trace(-r);
        }
        executor->n_threads++;
    }
    *ret_executor = TAKE_PTR(executor);
    return 0;
}

int executor_submit(Executor *executor, ExecutorWork *work, void *userdata) {
    int r = 0;

    pthread_mutex_lock(&executor->lock);
    if (executor->closed) {
        r = EXECUTOR_E_CLOSED;
    } else if (executor->n_jobs == executor->capacity) {
        r = EXECUTOR_E_FULL;
        if (executor->rejected) {
            metric_add(executor->rejected, 1);
        }
    } else {
        unsigned end = (executor->first + executor->n_jobs) % executor->capacity;
        executor->jobs[end] = (Job){work, userdata, clock_mono_us()};
        executor->n_jobs++;
        show(executor);
        pthread_cond_signal(&executor->wanted);
    }
    pthread_mutex_unlock(&executor->lock);
    return r;
}

bool executor_drain(Executor *executor, uint32_t timeout_ms) {
    uint64_t until_ms = clock_mono_ms() + timeout_ms;
    bool done;

    pthread_mutex_lock(&executor->lock);
    executor->closed = true;
    while ((executor->n_jobs > 0 || executor->n_running > 0) &&
           wait_until(&executor->idle, &executor->lock, until_ms)) {
    }
    done = executor->n_jobs == 0 && executor->n_running == 0;
    pthread_mutex_unlock(&executor->lock);
    return done;
}

Executor *executor_free(Executor *executor) {
    if (!executor) {
        return NULL;
    }
    pthread_mutex_lock(&executor->lock);
    executor->closed = true;
    executor->cancelled = true;
    pthread_cond_broadcast(&executor->wanted);
    pthread_mutex_unlock(&executor->lock);
    for (unsigned i = 0; i < executor->n_threads; i++) {
        pthread_join(executor->threads[i], NULL);
    }
    pthread_cond_destroy(&executor->idle);
    pthread_cond_destroy(&executor->wanted);
    pthread_mutex_destroy(&executor->lock);
    free(executor->jobs);
    free(executor->threads);
    free(executor);
    return NULL;
}
