/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Waiting for a condition with a time-out by the clock that only goes forward. */

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* 0 or a fault. */
static inline int wait_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    int r = -pthread_condattr_init(&attributes);

    if (r == 0) {
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        r = -pthread_cond_init(cond, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    return r;
}

/* The moment so far from now, as pthread_cond_timedwait() takes it. */
static inline struct timespec wait_until(uint32_t timeout_ms) {
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}
