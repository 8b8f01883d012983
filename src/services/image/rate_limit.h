/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A budget a minute, as a token bucket: it holds one minute's budget, every call takes its cost,
 * and it fills at an even pace. So a minute's worth may be used at once, and an empty bucket gives
 * the first unit back after 60 s / limit. Integer arithmetic; the caller brings the clock and a
 * lock.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct RateLimit {
    uint64_t per_minute; /* 0: no limit */
    uint64_t level; /* in 1/60000 of a unit, so that a millisecond brings `per_minute` of them */
    uint64_t at_ms;
} RateLimit;

typedef struct RateState {
    bool granted;
    uint32_t limit, remaining; /* units */
    uint32_t full_in_s;        /* until the bucket is full again, rounded up */
    uint32_t retry_after_s;    /* when refused: until the cost would be granted, at least 1 */
} RateState;

/* A full bucket. Times are of a clock that only goes forward, in milliseconds. */
void rate_limit_init(RateLimit *limit, uint32_t per_minute, uint64_t now_ms);

/*
 * Gives back the `paid` units that the same call took before its cost was known, and takes `cost`
 * units, or nothing. A cost above the whole budget counts as the whole budget, so that it can ever
 * be granted. A cost equal to what was paid only reads the state.
 */
RateState rate_limit_take(RateLimit *limit, uint32_t paid, uint32_t cost, uint64_t now_ms);
