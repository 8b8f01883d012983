/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/waiters.h"

#include "base/clock.h"
#include "base/wait.h"

/* However many wait, each looks at least so often. */
#define POLL_MS_MAX 1000

void waiters_init(Waiters *waiters) {
    *waiters = (Waiters){0};
    pthread_mutex_init(&waiters->lock, NULL);
}

void waiters_done(Waiters *waiters) {
    pthread_mutex_destroy(&waiters->lock);
}

static bool wants(const Waiter *waiter, const char *kind) {
    for (size_t i = 0; i < waiter->take->n_kinds; i++) {
        if (strcmp(waiter->take->kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

void waiters_join(Waiters *waiters, Waiter *waiter, const QueueTake *take) {
    Waiter **at;

    *waiter = (Waiter){.take = take};
    pthread_cond_init(&waiter->cond, NULL);
    pthread_mutex_lock(&waiters->lock);
    for (at = &waiters->first; *at; at = &(*at)->next) {
    }
    *at = waiter;
    waiters->n++;
    pthread_mutex_unlock(&waiters->lock);
}

/* With the lock. */
static void wake_one(Waiters *waiters, const char *kind) {
    for (Waiter *at = waiters->first; at; at = at->next) {
        if (!at->woken && wants(at, kind)) {
            at->woken = true;
            pthread_cond_signal(&at->cond);
            return;
        }
    }
}

void waiters_leave(Waiters *waiters, Waiter *waiter, bool took) {
    Waiter **at;

    pthread_mutex_lock(&waiters->lock);
    for (at = &waiters->first; *at != waiter; at = &(*at)->next) {
    }
    *at = waiter->next;
    waiters->n--;
    if (waiter->woken && !took) {
        for (size_t i = 0; i < waiter->take->n_kinds; i++) {
            wake_one(waiters, waiter->take->kinds[i]);
        }
    }
    pthread_mutex_unlock(&waiters->lock);
    pthread_cond_destroy(&waiter->cond);
}

bool waiters_wait(Waiters *waiters, Waiter *waiter, uint64_t until_ms, uint32_t poll_ms,
                  uint64_t due_in_ms) {
    uint64_t now = clock_mono_ms(), ms;
    bool again;

    pthread_mutex_lock(&waiters->lock);
    ms = MIN((uint64_t)poll_ms * waiters->n, (uint64_t)MAX(poll_ms, POLL_MS_MAX));
    ms = ms - ms / 4 + arc4random_uniform((uint32_t)(ms / 2 + 1));
    if (waiters->first == waiter) {
        ms = MIN(ms, due_in_ms + 1);
    }
    ms = now < until_ms ? MIN(ms, until_ms - now) : 0;
    while (ms > 0 && !waiter->woken && !waiters->stopped &&
           wait_until(&waiter->cond, &waiters->lock, now + ms)) {
    }
    again = !waiters->stopped && (waiter->woken || clock_mono_ms() < until_ms);
    waiter->woken = waiter->woken && !again; /* it looks now */
    pthread_mutex_unlock(&waiters->lock);
    return again;
}

void waiters_wake(Waiters *waiters, const char *kind) {
    pthread_mutex_lock(&waiters->lock);
    wake_one(waiters, kind);
    pthread_mutex_unlock(&waiters->lock);
}

void waiters_stop(Waiters *waiters) {
    pthread_mutex_lock(&waiters->lock);
    waiters->stopped = true;
    for (Waiter *at = waiters->first; at; at = at->next) {
        pthread_cond_signal(&at->cond);
    }
    pthread_mutex_unlock(&waiters->lock);
}
