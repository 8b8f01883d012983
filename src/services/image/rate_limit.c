/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/rate_limit.h"

#include "base/macro.h"

#define MINUTE_MS 60000u

void rate_limit_init(RateLimit *limit, uint32_t per_minute, uint64_t now_ms) {
    *limit = (RateLimit){per_minute, (uint64_t)per_minute * MINUTE_MS, now_ms};
}

static uint64_t divide_up(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

static void refill(RateLimit *limit, uint64_t now_ms) {
    uint64_t full = limit->per_minute * MINUTE_MS;
    uint64_t elapsed = now_ms > limit->at_ms ? now_ms - limit->at_ms : 0;

    limit->level += MIN(elapsed, MINUTE_MS) * limit->per_minute;
    limit->level = MIN(limit->level, full);
    limit->at_ms = MAX(limit->at_ms, now_ms);
}

RateState rate_limit_take(RateLimit *limit, uint32_t paid, uint32_t cost, uint64_t now_ms) {
    uint64_t full = limit->per_minute * MINUTE_MS, price;
    RateState state = {.granted = true, .limit = (uint32_t)limit->per_minute};

    if (limit->per_minute == 0) {
        return state;
    }
    refill(limit, now_ms);
    price = MIN((uint64_t)cost, limit->per_minute) * MINUTE_MS;
    limit->level = MIN(limit->level + (uint64_t)paid * MINUTE_MS, full);
    if (price <= limit->level) {
        limit->level -= price;
    } else {
        uint64_t wait_ms = divide_up(price - limit->level, limit->per_minute);
        state.granted = false;
        state.retry_after_s = (uint32_t)divide_up(wait_ms, 1000);
    }
    state.remaining = (uint32_t)(limit->level / MINUTE_MS);
    state.full_in_s = (uint32_t)divide_up(full - limit->level, limit->per_minute * 1000);
    return state;
}
