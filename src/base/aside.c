/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include <pthread.h>
#include <stdlib.h>

typedef enum AsideState {
    ASIDE_IDLE,
    ASIDE_STARTED, /* by nobody begun */
    ASIDE_RUNNING,
} AsideState;

struct Aside {
    Executor *executor;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    unsigned refs; /* of its owner, and of all that the executor was given and has not called */
    AsideState state;
    AsideWork *work;
    void *userdata;
};

Aside *aside_new(Executor *executor) {
    Aside *aside = calloc(1, sizeof(*aside));

    if (!aside) {
        abort();
    }
    aside->executor = executor;
    aside->refs = 1;
    pthread_mutex_init(&aside->lock, NULL);
    pthread_cond_init(&aside->ended, NULL);
    return aside;
}

/* With the lock, which it gives back. */
static void unref(Aside *aside) {
    bool last = --aside->refs == 0;

    pthread_mutex_unlock(&aside->lock);
    if (last) {
        pthread_cond_destroy(&aside->ended);
        pthread_mutex_destroy(&aside->lock);
        free(aside);
    }
}

/* With the lock, which it leaves meanwhile. */
static void run_now(Aside *aside) {
    aside->state = ASIDE_RUNNING;
    pthread_mutex_unlock(&aside->lock);
    aside->work(aside->userdata);
    pthread_mutex_lock(&aside->lock);
    aside->state = ASIDE_IDLE;
    pthread_cond_broadcast(&aside->ended);
}

/* A call may come late, for work that its owner has done: then it does what was started since, or
 * nothing. */
static void run(void *userdata, bool cancelled) {
    Aside *aside = userdata;

    pthread_mutex_lock(&aside->lock);
    if (aside->state == ASIDE_STARTED && !cancelled) {
        run_now(aside);
    }
    unref(aside);
}

void aside_start(Aside *aside, AsideWork *work, void *userdata) {
    aside_join(aside);
    pthread_mutex_lock(&aside->lock);
    aside->work = work;
    aside->userdata = userdata;
    aside->state = ASIDE_STARTED;
    if (aside->executor) {
        aside->refs++;
    }
    pthread_mutex_unlock(&aside->lock);
    if (aside->executor && executor_submit(aside->executor, run, aside) != 0) {
        pthread_mutex_lock(&aside->lock);
        unref(aside);
    }
}

void aside_join(Aside *aside) {
    pthread_mutex_lock(&aside->lock);
    while (aside->state == ASIDE_RUNNING) {
        pthread_cond_wait(&aside->ended, &aside->lock);
    }
    if (aside->state == ASIDE_STARTED) {
        run_now(aside);
    }
    pthread_mutex_unlock(&aside->lock);
}

Aside *aside_free(Aside *aside) {
    if (aside) {
        aside_join(aside);
        pthread_mutex_lock(&aside->lock);
        unref(aside);
    }
    return NULL;
}
