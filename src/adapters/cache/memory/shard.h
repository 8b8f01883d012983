/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One part of the cache in memory: a hash table of fixed size with chains, and a list in the order
 * of use. Not thread-safe but for `lock`, which the caller holds; what is to be freed is handed
 * back, so that it can be freed after unlocking.
 */

#include "base/str.h"

#include <pthread.h>

typedef struct Entry {
    struct Entry *chain;         /* the next of its bucket, or of a list to be freed */
    struct Entry *newer, *older; /* by use */
    uint64_t hash, expires_ms;
    uint32_t value_len, capacity; /* of the value */
    uint32_t key_len;
    char bytes[]; /* the key, then the value */
} Entry;

typedef struct Shard {
    _Alignas(64) pthread_mutex_t lock; /* no two shards share a cache line */
    Entry **buckets;
    size_t n_buckets; /* a power of two */
    Entry *newest, *oldest;
    uint64_t bytes, bytes_max;
    uint64_t hits, misses, evictions;
} Shard;

/* Takes `bytes_max`, of which the table is a part. 0 or -ENOMEM; an array of zeroed shards, of
 * which some were not set up, is good for shard_done(). */
int shard_init(Shard *shard, uint64_t bytes_max);
void shard_done(Shard *shard);

/* Of that key, with a value of `value.len` bytes and room for `capacity`; NULL: no memory. */
Entry *entry_new(uint64_t hash, Str key, Str value, size_t capacity, uint64_t expires_ms);
/* With all that hang on its chain. */
void entry_free(Entry *entry);

static inline char *entry_value(Entry *entry) {
    return entry->bytes + entry->key_len;
}

/* The entry, now the most recently used; NULL when there is none, or none any more. */
Entry *shard_find(Shard *shard, uint64_t hash, Str key, uint64_t now_ms, Entry **garbage);
/* Puts the entry, which the shard now owns, in place of one of the same key; evicts. */
void shard_put(Shard *shard, Entry *entry, Entry **garbage);
void shard_remove(Shard *shard, uint64_t hash, Str key, Entry **garbage);
