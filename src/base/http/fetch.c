/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of fetching threads: a bounded queue, tickets, cancellation. */
#include "base/http/fetch_internal.h"

#include "base/error.h"
#include "base/fd.h"

#include <curl/curl.h>
#include <pthread.h>

typedef struct Job {
    struct Job *next;
    uint64_t ticket;
    Arena *arena; /* of the request's strings */
    FetchRequest request;
    FetchDone *done;
    void *userdata;
    atomic_bool cancelled;
} Job;

struct Fetcher {
    FetchOptions options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Job *waiting, **waiting_end;
    unsigned n_waiting;
    Job *running;
    uint64_t last_ticket;
    bool stopping;
    pthread_t *threads;
    unsigned n_threads;
};

static void finish(Job *job, FetchResult *result) {
    job->done(result, job->userdata);
    fd_close(result->fd);
    arena_free(job->arena);
    free(job);
}

static void finish_cancelled(Job *job) {
    finish(job,
           &(FetchResult){.status = FETCH_FAILED, .detail = "The fetch was cancelled.", .fd = -1});
}

/* The waiting job of that ticket, off the queue; NULL when there is none. With the lock held. */
static Job *unqueue(Fetcher *fetcher, uint64_t ticket) {
    for (Job **at = &fetcher->waiting; *at; at = &(*at)->next) {
        Job *job = *at;
        if (job->ticket != ticket) {
            continue;
        }
        *at = job->next;
        if (!job->next) {
            fetcher->waiting_end = at;
        }
        fetcher->n_waiting--;
        return job;
    }
    return NULL;
}

/* The next job, moved to the running ones; NULL when there will be none. */
static Job *take_job(Fetcher *fetcher) {
    Job *job;

    pthread_mutex_lock(&fetcher->lock);
    while (!fetcher->waiting && !fetcher->stopping) {
        pthread_cond_wait(&fetcher->changed, &fetcher->lock);
    }
    job = fetcher->waiting ? unqueue(fetcher, fetcher->waiting->ticket) : NULL;
    if (job) {
        job->next = fetcher->running;
        fetcher->running = job;
    }
    pthread_mutex_unlock(&fetcher->lock);
    return job;
}

static void forget_job(Fetcher *fetcher, const Job *job) {
    Job **at = &fetcher->running;

    pthread_mutex_lock(&fetcher->lock);
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    pthread_mutex_unlock(&fetcher->lock);
}

static void *work(void *userdata) {
    Fetcher *fetcher = userdata;
    Job *job;

    pthread_setname_np(pthread_self(), "http-fetch");
    while ((job = take_job(fetcher))) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        FetchResult result;
        if (atomic_load(&job->cancelled)) {
            forget_job(fetcher, job);
            finish_cancelled(job);
            continue;
        }
        transfer_run(&fetcher->options, &job->request, &job->cancelled, arena, &result);
        forget_job(fetcher, job);
        finish(job, &result);
    }
    return NULL;
}

int fetcher_new(const FetchOptions *options, Fetcher **ret_fetcher) {
    _cleanup_(fetcher_freep) Fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (!fetcher || !(fetcher->threads = calloc(options->threads, sizeof(pthread_t)))) {
        abort();
    }
    fetcher->options = *options;
    fetcher->waiting_end = &fetcher->waiting;
    pthread_mutex_init(&fetcher->lock, NULL);
    pthread_cond_init(&fetcher->changed, NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_trace(-EIO);
    }
    while (fetcher->n_threads < options->threads) {
        int r = pthread_create(&fetcher->threads[fetcher->n_threads], NULL, work, fetcher);
        if (r != 0) {
            return err_trace(-r);
        }
        fetcher->n_threads++;
    }
    *ret_fetcher = TAKE_PTR(fetcher);
    return 0;
}

static void cancel_list(Job *jobs, bool all, uint64_t ticket) {
    for (Job *job = jobs; job; job = job->next) {
        if (all || job->ticket == ticket) {
            atomic_store(&job->cancelled, true);
        }
    }
}

Fetcher *fetcher_free(Fetcher *fetcher) {
    if (!fetcher) {
        return NULL;
    }
    pthread_mutex_lock(&fetcher->lock);
    fetcher->stopping = true;
    cancel_list(fetcher->waiting, true, 0);
    cancel_list(fetcher->running, true, 0);
    pthread_cond_broadcast(&fetcher->changed);
    pthread_mutex_unlock(&fetcher->lock);
    for (unsigned i = 0; i < fetcher->n_threads; i++) {
        pthread_join(fetcher->threads[i], NULL);
    }
    curl_global_cleanup();
    pthread_cond_destroy(&fetcher->changed);
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher->threads);
    free(fetcher);
    return NULL;
}

static const char *copy(Arena *arena, const char *text) {
    return text ? arena_strdup(arena, str_from(text)) : NULL;
}

void fetcher_send(Fetcher *fetcher, const FetchRequest *request, FetchDone *done, void *userdata,
                  uint64_t *ret_ticket) {
    Job *job = calloc(1, sizeof(*job));
    bool busy;

    if (!job) {
        abort();
    }
    job->arena = arena_new();
    job->request = (FetchRequest){.url = copy(job->arena, request->url),
                                  .form = copy(job->arena, request->form),
                                  .authorization = copy(job->arena, request->authorization),
                                  .accept = copy(job->arena, request->accept)};
    job->done = done;
    job->userdata = userdata;
    pthread_mutex_lock(&fetcher->lock);
    job->ticket = ++fetcher->last_ticket;
    *ret_ticket = job->ticket;
    busy = fetcher->n_waiting >= fetcher->options.queue_max || fetcher->stopping;
    if (!busy) {
        *fetcher->waiting_end = job;
        fetcher->waiting_end = &job->next;
        fetcher->n_waiting++;
        pthread_cond_signal(&fetcher->changed);
    }
    pthread_mutex_unlock(&fetcher->lock);
    if (busy) {
        finish(job, &(FetchResult){.status = FETCH_BUSY,
                                   .detail = "Too many URLs are being fetched. Try again soon.",
                                   .fd = -1});
    }
}

void fetcher_get(Fetcher *fetcher, const char *url, FetchDone *done, void *userdata,
                 uint64_t *ret_ticket) {
    fetcher_send(fetcher, &(FetchRequest){.url = url}, done, userdata, ret_ticket);
}

typedef struct Waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    Arena *arena;
    FetchResult result;
} Waiter;

static void wake(FetchResult *result, void *userdata) {
    Waiter *waiter = userdata;

    pthread_mutex_lock(&waiter->lock);
    waiter->result = *result;
    waiter->result.detail = copy(waiter->arena, result->detail);
    result->fd = -1; /* taken */
    waiter->done = true;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->lock);
}

void fetcher_call(Fetcher *fetcher, const FetchRequest *request, Arena *arena,
                  FetchResult *ret_result) {
    Waiter waiter = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .arena = arena};
    uint64_t ticket;

    fetcher_send(fetcher, request, wake, &waiter, &ticket);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done) {
        pthread_cond_wait(&waiter.changed, &waiter.lock);
    }
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.changed);
    pthread_mutex_destroy(&waiter.lock);
    *ret_result = waiter.result;
}

void fetcher_cancel(Fetcher *fetcher, uint64_t ticket) {
    Job *waiting;

    pthread_mutex_lock(&fetcher->lock);
    waiting = unqueue(fetcher, ticket);
    cancel_list(fetcher->running, false, ticket);
    pthread_mutex_unlock(&fetcher->lock);
    if (waiting) {
        finish_cancelled(waiting);
    }
}
