/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/memory/memory.h"

#include "adapters/cache/memory/shard.h"
#include "base/clock.h"
#include "base/crypto/keyed_hash.h"
#include "base/crypto/random.h"
#include "core/ports/cache_impl.h"

#include <stdio.h>

/* No shard is smaller than this, so that the largest value leaves room for others beside it. */
#define SHARD_BYTES_MIN ((uint64_t)4 << 20)
#define SHARDS_MAX      64
/* The digits of UINT64_MAX. */
#define COUNT_DIGITS 20

typedef struct CacheMemory {
    Cache cache;
    CacheMemoryOptions options;
    /* Of the hash: drawn at start, so that nobody can choose keys that meet in one bucket. */
    uint8_t seed[KEYED_HASH_KEY_LEN];
    unsigned shard_bits;
    Shard *shards;
    Metric *hits, *misses, *evictions, *bytes;
} CacheMemory;

static CacheMemory *memory_of(Cache *cache) {
    return (CacheMemory *)cache;
}

/* What a call works with: the shard of the key, locked until call_end(). */
typedef struct Call {
    Shard *shard;
    Str key;
    uint64_t hash, now_ms;
    Entry *garbage; /* is freed after unlocking */
} Call;

static Call call_of(const CacheMemory *self, Str key) {
    const CacheMemoryOptions *options = &self->options;
    Call call = {.key = key, .hash = keyed_hash(self->seed, key)};

    /* The shard by the upper bits, the bucket by the lower ones. */
    call.shard = &self->shards[self->shard_bits ? call.hash >> (64 - self->shard_bits) : 0];
    call.now_ms = options->now_ms ? options->now_ms(options->userdata) : clock_mono_ms();
    return call;
}

static Entry *call_lock(Call *call) {
    pthread_mutex_lock(&call->shard->lock);
    return shard_find(call->shard, call->hash, call->key, call->now_ms, &call->garbage);
}

static void call_end(Call *call) {
    pthread_mutex_unlock(&call->shard->lock);
    entry_free(call->garbage);
}

static int get(Cache *cache, Str key, Arena *arena, Str *ret_value) {
    Call call;
    Entry *entry;
    int r = cache_check_key(key);

    if (r < 0) {
        return err_trace(r);
    }
    call = call_of(memory_of(cache), key);
    entry = call_lock(&call);
    if (entry) {
        call.shard->hits++;
        *ret_value = (Str){arena_strdup(arena, (Str){entry_value(entry), entry->value_len}),
                           entry->value_len};
    } else {
        call.shard->misses++;
        r = CACHE_E_MISS;
    }
    call_end(&call);
    return r;
}

static int put_entry(Cache *cache, Str key, Str value, uint32_t ttl_ms, bool only_new) {
    Call call;
    Entry *entry;
    int r = cache_check_entry(key, value, ttl_ms);

    if (r < 0) {
        return err_trace(r);
    }
    call = call_of(memory_of(cache), key);
    /* Before the lock, as copying a large value takes long. */
    entry = entry_new(call.hash, key, value, value.len, call.now_ms + ttl_ms);
    if (call_lock(&call) && only_new) {
        r = CACHE_E_EXISTS;
    } else if (entry) {
        shard_put(call.shard, TAKE_PTR(entry), &call.garbage);
    } else {
        /* What was there is no longer true. */
        shard_remove(call.shard, call.hash, key, &call.garbage);
        r = -ENOMEM;
    }
    call_end(&call);
    free(entry);
    return r < 0 ? err_trace(r) : r;
}

static int put(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    return put_entry(cache, key, value, ttl_ms, false);
}

static int add(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    return put_entry(cache, key, value, ttl_ms, true);
}

static int compare(Str a, Str b) {
    int order = memcmp(a.ptr, b.ptr, MIN(a.len, b.len));

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int raise_value(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    Call call;
    Entry *entry, *there;
    int r = cache_check_entry(key, value, ttl_ms);

    if (r < 0) {
        return err_trace(r);
    }
    call = call_of(memory_of(cache), key);
    entry = entry_new(call.hash, key, value, value.len, call.now_ms + ttl_ms);
    there = call_lock(&call);
    if (!entry) {
        /* What was there is no longer true. */
        shard_remove(call.shard, call.hash, key, &call.garbage);
        r = -ENOMEM;
    } else if (!there || compare((Str){entry_value(there), there->value_len}, value) <= 0) {
        shard_put(call.shard, TAKE_PTR(entry), &call.garbage);
    }
    call_end(&call);
    free(entry);
    return err_trace(r);
}

static int drop(Cache *cache, Str key) {
    Call call;
    int r = cache_check_key(key);

    if (r < 0) {
        return err_trace(r);
    }
    call = call_of(memory_of(cache), key);
    if (call_lock(&call)) {
        shard_remove(call.shard, call.hash, key, &call.garbage);
    }
    call_end(&call);
    return 0;
}

/* Writes the counter as what get() gives: its digits. */
static int set_count(Call *call, Entry *entry, uint64_t count, uint64_t expires_ms) {
    char digits[COUNT_DIGITS + 1];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);

    if (entry && entry->capacity >= len) {
        memcpy(entry_value(entry), digits, len);
        entry->value_len = (uint32_t)len;
        return 0;
    }
    entry = entry_new(call->hash, call->key, (Str){digits, len}, COUNT_DIGITS, expires_ms);
    if (!entry) {
        return -ENOMEM;
    }
    shard_put(call->shard, entry, &call->garbage);
    return 0;
}

static int count(Cache *cache, Str key, uint64_t by, uint32_t ttl_ms, uint64_t *ret_count) {
    Call call;
    Entry *entry;
    uint64_t value = 0;
    int r = cache_check_count(key, by, ttl_ms);

    if (r < 0) {
        return err_trace(r);
    }
    call = call_of(memory_of(cache), key);
    entry = call_lock(&call);
    if (entry && (str_to_u64((Str){entry_value(entry), entry->value_len}, &value) < 0 ||
                  value > CACHE_COUNT_MAX - by)) {
        r = -EINVAL;
    } else if (by > 0) {
        value += by;
        r = set_count(&call, entry, value, entry ? entry->expires_ms : call.now_ms + ttl_ms);
    }
    call_end(&call);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_count = value;
    return 0;
}

static void collect(void *userdata) {
    CacheMemory *self = userdata;
    Shard total = {0};

    for (size_t i = 0; i < (size_t)1 << self->shard_bits; i++) {
        Shard *shard = &self->shards[i];
        pthread_mutex_lock(&shard->lock);
        total.hits += shard->hits;
        total.misses += shard->misses;
        total.evictions += shard->evictions;
        total.bytes += shard->bytes;
        pthread_mutex_unlock(&shard->lock);
    }
    metric_set(self->hits, (double)total.hits);
    metric_set(self->misses, (double)total.misses);
    metric_set(self->evictions, (double)total.evictions);
    metric_set(self->bytes, (double)total.bytes);
}

static void register_metrics(CacheMemory *self, Metrics *metrics) {
    self->hits = metrics_counter(metrics, "imagesync_cache_hits_total", "",
                                 "Look-ups that the cache answered");
    self->misses = metrics_counter(metrics, "imagesync_cache_misses_total", "",
                                   "Look-ups of what the cache did not have");
    self->evictions = metrics_counter(metrics, "imagesync_cache_evictions_total", "",
                                      "Entries that made room for others before their time");
    self->bytes =
        metrics_gauge(metrics, "imagesync_cache_bytes", "", "Memory of the cache in this process");
    metrics_collector_add(metrics, collect, self);
}

static Cache *memory_free(Cache *cache) {
    CacheMemory *self = memory_of(cache);

    if (self->bytes) {
        metrics_collector_remove(self->options.metrics, self);
    }
    for (size_t i = 0; self->shards && i < (size_t)1 << self->shard_bits; i++) {
        shard_done(&self->shards[i]);
    }
    free(self->shards);
    free(self);
    return NULL;
}

static const CacheImpl memory_impl = {
    .get = get,
    .put = put,
    .add = add,
    .raise = raise_value,
    .remove = drop,
    .count = count,
    .free = memory_free,
};

int cache_memory_new(const CacheMemoryOptions *options, Cache **ret_cache) {
    _cleanup_(cache_freep) Cache *cache = NULL;
    CacheMemory *self;
    size_t size;

    if (options->bytes_max < CACHE_MEMORY_BYTES_MIN) {
        return err_trace(-EINVAL);
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        return err_trace(-ENOMEM);
    }
    self->cache.impl = &memory_impl;
    cache = &self->cache;
    self->options = *options;
    random_bytes(self->seed, sizeof(self->seed));
    while (2u << self->shard_bits <= SHARDS_MAX &&
           options->bytes_max >> (self->shard_bits + 1) >= SHARD_BYTES_MIN) {
        self->shard_bits++;
    }
    size = sizeof(Shard) << self->shard_bits;
    self->shards = aligned_alloc(_Alignof(Shard), size);
    if (!self->shards) {
        return err_trace(-ENOMEM);
    }
    memset(self->shards, 0, size);
    for (size_t i = 0; i < (size_t)1 << self->shard_bits; i++) {
        int r = shard_init(&self->shards[i], options->bytes_max >> self->shard_bits);
        if (r < 0) {
            return err_trace(r);
        }
    }
    if (options->metrics) {
        register_metrics(self, options->metrics);
    }
    *ret_cache = TAKE_PTR(cache);
    return 0;
}
