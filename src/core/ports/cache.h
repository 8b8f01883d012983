/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The cache: what may be forgotten at any time. In this process (bounded in bytes), or in Redis,
 * where all processes of a service share it. Nothing is true only because the cache says so: a
 * miss or an unreachable cache is answered from the database, slower. Keys are ours (at most 200
 * bytes, "session/<hash>"), never a secret in clear. Thread-safe; calls to Redis block for at most
 * its time-out.
 */

#include "base/arena.h"

#define CACHE_KEY_LEN_MAX   200
#define CACHE_VALUE_LEN_MAX (1u << 20)

typedef struct Cache Cache;

enum {
    CACHE_E_MISS = 1, /* cache_get(): not there, or no longer */
    CACHE_E_EXISTS,   /* cache_add(): it was there already */
};

struct Cache {
    const struct CacheImpl *impl;
};

typedef struct CacheImpl {
    int (*get)(Cache *self, Str key, Arena *arena, Str *ret_value);
    int (*put)(Cache *self, Str key, Str value, uint32_t ttl_ms);
    int (*add)(Cache *self, Str key, Str value, uint32_t ttl_ms);
    int (*raise)(Cache *self, Str key, Str value, uint32_t ttl_ms);
    int (*remove)(Cache *self, Str key);
    int (*count)(Cache *self, Str key, uint64_t by, uint32_t ttl_ms, uint64_t *ret_count);
    Cache *(*free)(Cache *self);
} CacheImpl;

/*
 * Every call: 0; its own condition; or a fault: -EINVAL for a key or value beyond the bounds,
 * -EIO when the cache cannot be reached, which the caller lives without.
 */

static inline int cache_get(Cache *self, Str key, Arena *arena, Str *ret_value) {
    return self->impl->get(self, key, arena, ret_value);
}

/* For so long at most; ttl_ms is at least 1. Replaces. */
static inline int cache_put(Cache *self, Str key, Str value, uint32_t ttl_ms) {
    return self->impl->put(self, key, value, ttl_ms);
}

/* Only when it is not there; of calls at the same time exactly one gets 0. */
static inline int cache_add(Cache *self, Str key, Str value, uint32_t ttl_ms) {
    return self->impl->add(self, key, value, ttl_ms);
}

/* As cache_put(), unless what is there is greater (byte by byte), which then stays as it is: of
 * values that come in any order the greatest is kept. Atomic. For values of ASCII letters of one
 * case, digits, '-' and '/'. */
static inline int cache_raise(Cache *self, Str key, Str value, uint32_t ttl_ms) {
    return self->impl->raise(self, key, value, ttl_ms);
}

static inline int cache_remove(Cache *self, Str key) {
    return self->impl->remove(self, key);
}

/* Adds to a counter, atomically, and tells its value; a new one starts at 0 and ends after ttl_ms,
 * however often it is counted on. `by` 0 only reads. */
static inline int cache_count(Cache *self, Str key, uint64_t by, uint32_t ttl_ms,
                              uint64_t *ret_count) {
    return self->impl->count(self, key, by, ttl_ms, ret_count);
}

static inline Cache *cache_free(Cache *self) {
    return self ? self->impl->free(self) : NULL;
}
DEFINE_CLEANUP(Cache *, cache_free)
