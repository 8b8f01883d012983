/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The cache in this process: least recently used out first, within a number of bytes that counts
 * keys, values, what each entry costs besides, and the tables. Entries lie in shards, each with its
 * own lock, so that threads rarely wait for each other; every call is O(1) but for what it evicts.
 */

#include "base/metrics.h"
#include "core/ports/cache.h"

/* Room for the largest value, whatever else there is. */
#define CACHE_MEMORY_BYTES_MIN ((uint64_t)2 << 20)

typedef struct CacheMemoryOptions {
    uint64_t bytes_max; /* at least CACHE_MEMORY_BYTES_MIN */
    Metrics *metrics;   /* outlives the cache; or NULL */
    /* Milliseconds of a clock that never goes back; NULL: clock_mono_ms(). Any thread calls it. */
    uint64_t (*now_ms)(void *userdata);
    void *userdata;
} CacheMemoryOptions;

/*
 * 0; or -EINVAL (bytes_max is too small), -ENOMEM. An entry that has ended makes room when it is
 * asked for or has become the least recently used.
 */
int cache_memory_new(const CacheMemoryOptions *options, Cache **ret_cache);
