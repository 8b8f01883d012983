/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reading through a cache: what it does not have is loaded from where it is true, by exactly one
 * caller of this process, while the others that want the same wait for its result (single flight).
 * So a popular entry that ends, or a cache that is lost, does not send every request to the
 * database at once. Thread-safe.
 */

#include "core/ports/cache.h"

/* Of a value: one byte tells it from the memory that there is none. */
#define READ_THROUGH_VALUE_LEN_MAX (CACHE_VALUE_LEN_MAX - 1)

typedef struct ReadThrough ReadThrough;

enum {
    READ_THROUGH_E_NONE = 1, /* there is no such thing */
    READ_THROUGH_E_ABSENT,   /* read_through_peek(): the cache does not have it */
};

/*
 * Loads the value into the arena: 0; READ_THROUGH_E_NONE; or a fault. Called without locks, on the
 * thread of the caller that missed; reads through the same object for another key only.
 */
typedef int ReadThroughLoad(void *userdata, Arena *arena, Str *ret_value);

typedef struct ReadThroughPolicy {
    uint32_t ttl_ms;      /* of what was loaded; at least 1 */
    uint32_t none_ttl_ms; /* of the memory that there is none; 0: that is not kept */
    uint32_t wait_ms;     /* for another's load, at most */
} ReadThroughPolicy;

/* On `cache`, which is borrowed and outlives it; its keys are used for nothing else. */
ReadThrough *read_through_new(Cache *cache);
ReadThrough *read_through_free(ReadThrough *self); /* accepts NULL; no call may be under way */
DEFINE_CLEANUP(ReadThrough *, read_through_free)

/*
 * The value, in the arena, from the cache or loaded. 0; READ_THROUGH_E_NONE; the load's fault,
 * which all get that waited for it and which is not kept; -ETIMEDOUT when another's load took
 * longer than wait_ms; -EINVAL for a key or value beyond the bounds. A cache that is full or cannot
 * be reached only makes it slower.
 */
int read_through_get(ReadThrough *self, Str key, const ReadThroughPolicy *policy,
                     ReadThroughLoad *load, void *userdata, Arena *arena, Str *ret_value);

/* The same without a load: 0, READ_THROUGH_E_NONE, or READ_THROUGH_E_ABSENT. Does not wait but for
 * the cache itself. */
int read_through_peek(ReadThrough *self, Str key, Arena *arena, Str *ret_value);

/*
 * To be called after the truth has changed: removes what is cached, and keeps loads of this process
 * that began before from being cached or given to those who ask from now on. Another process may
 * still cache what it had just read, for one time to live. 0, -EINVAL, or -EIO when the cache
 * cannot be reached: then the old value may be seen until it ends.
 */
int read_through_forget(ReadThrough *self, Str key);

/* How many wait for the load of that key now. */
unsigned read_through_waiting(ReadThrough *self, Str key);
