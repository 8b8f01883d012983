/* SPDX-License-Identifier: Apache-2.0 */
/* Work of requests under way that an executor had no room for: the watcher submits it again. */
#include "base/http/server_internal.h"

struct Retry {
    Retry *next;
    Executor *executor;
    ExecutorWork *work;
    void *userdata;
};

static void keep(HttpServer *server, Retry *retry) {
    pthread_mutex_lock(&server->lock);
    retry->next = server->retries;
    server->retries = retry;
    pthread_mutex_unlock(&server->lock);
}

static Retry *take_all(HttpServer *server) {
    Retry *all;

    pthread_mutex_lock(&server->lock);
    all = TAKE_PTR(server->retries);
    pthread_mutex_unlock(&server->lock);
    return all;
}

void retry_submit(HttpServer *server, Executor *executor, ExecutorWork *work, void *userdata) {
    Retry *retry;

    if (executor_submit(executor, work, userdata) == 0) {
        return;
    }
    retry = calloc(1, sizeof(*retry));
    if (!retry) {
        abort();
    }
    *retry = (Retry){NULL, executor, work, userdata};
    keep(server, retry);
    watcher_wake(server);
}

bool retry_all(HttpServer *server) {
    bool some_wait = false;

    for (Retry *retry = take_all(server), *next; retry; retry = next) {
        int r = executor_submit(retry->executor, retry->work, retry->userdata);
        next = retry->next;
        if (r == EXECUTOR_E_FULL) {
            keep(server, retry);
            some_wait = true;
            continue;
        }
        if (r == EXECUTOR_E_CLOSED) {
            retry->work(retry->userdata, true);
        }
        free(retry);
    }
    return some_wait;
}

void retry_cancel(HttpServer *server) {
    for (Retry *retry; (retry = take_all(server));) {
        for (Retry *next; retry; retry = next) {
            next = retry->next;
            retry->work(retry->userdata, true);
            free(retry);
        }
    }
}
