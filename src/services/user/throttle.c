/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/throttle.h"

#include <stdio.h>

#define SECOND_US 1000000LL

static const struct {
    const char *name;
    uint64_t free;
    uint32_t window_s;
} kinds[_THROTTLE_MAX] = {
    [THROTTLE_ACCOUNT] = {"account", 5, 86400},
    [THROTTLE_ADDRESS] = {"address", 0, 3600},
    [THROTTLE_MAIL] = {"mail", 3, 3600},
    [THROTTLE_DEVICE] = {"device", 0, 3600},
    [THROTTLE_USER_CODE] = {"user-code", 10, 3600},
};

typedef struct Keys {
    char count[128], until[128]; /* how many there were; when the next one may be */
} Keys;

static void make_keys(ThrottleKind kind, Str subject, Keys *ret_keys) {
    int len = (int)MIN(subject.len, 64u);

    snprintf(ret_keys->count, sizeof(ret_keys->count), "throttle/%s/%.*s", kinds[kind].name, len,
             subject.ptr);
    snprintf(ret_keys->until, sizeof(ret_keys->until), "throttle-until/%s/%.*s", kinds[kind].name,
             len, subject.ptr);
}

/* 0 with *ret_wait_s, or a fault of the cache. */
static int take(Cache *cache, ThrottleKind kind, uint64_t free, Str subject, int64_t now_us,
                uint32_t *ret_wait_s) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int64_t until_us = 0;
    uint64_t count;
    uint32_t wait_s;
    Str value;
    Keys keys;
    int r;

    make_keys(kind, subject, &keys);
    r = cache_get(cache, str_from(keys.until), arena, &value);
    if (r == 0 && value.len == sizeof(until_us)) {
        memcpy(&until_us, value.ptr, sizeof(until_us));
    }
    if (r < 0) {
        return r;
    }
    if (until_us > now_us) {
        *ret_wait_s = (uint32_t)MIN((until_us - now_us + SECOND_US - 1) / SECOND_US,
                                    (int64_t)THROTTLE_WAIT_MAX_S);
        return 0;
    }
    r = cache_count(cache, str_from(keys.count), 1, kinds[kind].window_s * 1000, &count);
    if (r < 0) {
        return r;
    }
    if (count >= free) {
        uint64_t steps = MIN(count - free, 10u);
        wait_s = (uint32_t)MIN(1u << steps, (uint32_t)THROTTLE_WAIT_MAX_S);
        until_us = now_us + wait_s * SECOND_US;
        r = cache_put(cache, str_from(keys.until), (Str){(const char *)&until_us, sizeof(until_us)},
                      wait_s * 1000);
    }
    *ret_wait_s = 0;
    return MIN(r, 0);
}

uint32_t throttle_take(const Throttle *throttle, ThrottleKind kind, Str subject, int64_t now_us) {
    bool by_address = kind == THROTTLE_ADDRESS || kind == THROTTLE_DEVICE;
    uint64_t free = by_address ? throttle->address_free : kinds[kind].free;
    uint32_t wait_s = 0;

    if (take(throttle->shared, kind, free, subject, now_us, &wait_s) == 0) {
        return wait_s;
    }
    /* What cannot be counted at all waits: nobody guesses passwords while the cache is away. */
    return take(throttle->local, kind, free, subject, now_us, &wait_s) == 0 ? wait_s : 1;
}

void throttle_clear(const Throttle *throttle, ThrottleKind kind, Str subject) {
    Keys keys;

    make_keys(kind, subject, &keys);
    for (size_t i = 0; i < 2; i++) {
        Cache *cache = i == 0 ? throttle->shared : throttle->local;
        (void)cache_remove(cache, str_from(keys.count));
        (void)cache_remove(cache, str_from(keys.until));
    }
}
