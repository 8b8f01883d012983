/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who waits for jobs in this process, and is woken when one is put. Thread-safe. */

#include "core/ports/queue.h"

#include <pthread.h>

/* On its caller's stack. */
typedef struct Waiter {
    struct Waiter *next;
    const QueueTake *take;
    pthread_cond_t cond;
    bool woken;
} Waiter;

typedef struct Waiters {
    pthread_mutex_t lock;
    Waiter *first; /* who came first */
    unsigned n;
    bool stopped;
} Waiters;

void waiters_init(Waiters *waiters);
void waiters_done(Waiters *waiters);

/* From before it looks for a job, so that it misses none. Several threads of a process look every
 * so often together, not each. */
void waiters_join(Waiters *waiters, Waiter *waiter, const QueueTake *take);
/* Whoever was woken and took nothing passes that on. */
void waiters_leave(Waiters *waiters, Waiter *waiter, bool took);

/*
 * Until it is woken, `until_ms` (clock_mono_ms()), the time to look again, or `due_in_ms`, which
 * only the first heeds. False when it is of no use to look again: the time is up, or all is
 * stopped.
 */
bool waiters_wait(Waiters *waiters, Waiter *waiter, uint64_t until_ms, uint32_t poll_ms,
                  uint64_t due_in_ms);

/* One who waits for that kind. */
void waiters_wake(Waiters *waiters, const char *kind);
void waiters_stop(Waiters *waiters);
