/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What those who implement the port core/ports/cache.h check in the same way. */

#include "base/error.h"
#include "core/ports/cache.h"

/* The largest counter: Redis counts in 64 bits with a sign. */
#define CACHE_COUNT_MAX ((uint64_t)INT64_MAX)

/* 0 or -EINVAL: a key has 1 to CACHE_KEY_LEN_MAX bytes of any value. */
static inline int cache_check_key(Str key) {
    return key.len > 0 && key.len <= CACHE_KEY_LEN_MAX ? 0 : -EINVAL;
}

/* 0 or -EINVAL: the key, a value of at most CACHE_VALUE_LEN_MAX bytes, and a time to live. */
static inline int cache_check_entry(Str key, Str value, uint32_t ttl_ms) {
    return value.len <= CACHE_VALUE_LEN_MAX && ttl_ms > 0 ? cache_check_key(key) : -EINVAL;
}

/* 0 or -EINVAL: the key and what is counted; only reading needs no time to live. */
static inline int cache_check_count(Str key, uint64_t by, uint32_t ttl_ms) {
    return by <= CACHE_COUNT_MAX && (by == 0 || ttl_ms > 0) ? cache_check_key(key) : -EINVAL;
}
