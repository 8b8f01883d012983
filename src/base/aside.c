/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct Piece {
    AsideWork *work;
    void *userdata;
} Piece;

struct Aside {
    Executor *executor;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    unsigned refs;             /* of its owner, and of all that the executor was given */
    Piece pieces[ASIDE_AHEAD]; /* a ring: those that have not ended */
    unsigned first, n;
    bool running; /* the first of them */
    bool called;  /* the executor will look, or looks, after each */
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
static void run_first(Aside *aside) {
    Piece piece = aside->pieces[aside->first];

    aside->running = true;
    pthread_mutex_unlock(&aside->lock);
    piece.work(piece.userdata);
    pthread_mutex_lock(&aside->lock);
    aside->running = false;
    aside->first = (aside->first + 1) % ASIDE_AHEAD;
    aside->n--;
    pthread_cond_broadcast(&aside->ended);
}

/* A call may come late, when who waits has done all. */
static void run(void *userdata, bool cancelled) {
    Aside *aside = userdata;

    pthread_mutex_lock(&aside->lock);
    while (aside->n > 0 && !aside->running && !cancelled) {
        run_first(aside);
    }
    aside->called = false;
    unref(aside);
}

/* With the lock. */
static void await(Aside *aside, unsigned most) {
    while (aside->n > most) {
        if (aside->running) {
            pthread_cond_wait(&aside->ended, &aside->lock);
        } else {
            run_first(aside);
        }
    }
}

void aside_start(Aside *aside, AsideWork *work, void *userdata) {
    bool call;

    pthread_mutex_lock(&aside->lock);
    await(aside, ASIDE_AHEAD - 1);
    aside->pieces[(aside->first + aside->n++) % ASIDE_AHEAD] = (Piece){work, userdata};
    call = aside->executor && !aside->called;
    if (call) {
        aside->called = true;
        aside->refs++;
    }
    pthread_mutex_unlock(&aside->lock);
    if (call && executor_submit(aside->executor, run, aside) != 0) {
        pthread_mutex_lock(&aside->lock);
        aside->called = false;
        unref(aside);
    }
}

void aside_join(Aside *aside) {
    pthread_mutex_lock(&aside->lock);
    await(aside, 0);
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
