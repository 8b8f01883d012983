/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/memory/shard.h"

#include "base/error.h"

#include <assert.h>

/* A bucket for so many bytes: with the smallest entries its chain is still only a few long. The
 * table never grows, so no call ever pays for moving it. */
#define BYTES_PER_BUCKET 256

int shard_init(Shard *shard, uint64_t bytes_max) {
    size_t n_buckets = 1;

    while (n_buckets < bytes_max / BYTES_PER_BUCKET) {
        n_buckets *= 2;
    }
    shard->buckets = calloc(n_buckets, sizeof(Entry *));
    if (!shard->buckets) {
        return err_trace(-ENOMEM);
    }
    shard->n_buckets = n_buckets;
    shard->bytes = n_buckets * sizeof(Entry *);
    shard->bytes_max = bytes_max;
    pthread_mutex_init(&shard->lock, NULL);
    return 0;
}

void shard_done(Shard *shard) {
    if (!shard->buckets) {
        return;
    }
    for (Entry *entry = shard->newest, *older; entry; entry = older) {
        older = entry->older;
        free(entry);
    }
    free(shard->buckets);
    pthread_mutex_destroy(&shard->lock);
}

Entry *entry_new(uint64_t hash, Str key, Str value, size_t capacity, uint64_t expires_ms) {
    Entry *entry;

    assert(value.len <= capacity);
    entry = malloc(sizeof(*entry) + key.len + capacity);
    if (!entry) {
        return NULL;
    }
    *entry = (Entry){.hash = hash,
                     .expires_ms = expires_ms,
                     .value_len = (uint32_t)value.len,
                     .capacity = (uint32_t)capacity,
                     .key_len = (uint32_t)key.len};
    memcpy(entry->bytes, key.ptr, key.len);
    if (value.len > 0) {
        memcpy(entry_value(entry), value.ptr, value.len);
    }
    return entry;
}

void entry_free(Entry *entry) {
    while (entry) {
        Entry *next = entry->chain;
        free(entry);
        entry = next;
    }
}

/* What glibc's malloc takes for it: a header of 8 bytes, all in steps of 16. */
static uint64_t cost(const Entry *entry) {
    return (sizeof(*entry) + entry->key_len + entry->capacity + 8 + 15) / 16 * 16;
}

static void unlink_use(Shard *shard, Entry *entry) {
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void link_newest(Shard *shard, Entry *entry) {
    entry->newer = NULL;
    entry->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
    shard->newest = entry;
}

/* The place in the chain that points at the entry, or at NULL. */
static Entry **place_of(const Shard *shard, uint64_t hash, Str key) {
    Entry **place = &shard->buckets[hash & (shard->n_buckets - 1)];

    while (*place && ((*place)->hash != hash || (*place)->key_len != key.len ||
                      memcmp((*place)->bytes, key.ptr, key.len) != 0)) {
        place = &(*place)->chain;
    }
    return place;
}

static void take_out(Shard *shard, Entry **place, Entry **garbage) {
    Entry *entry = *place;

    *place = entry->chain;
    unlink_use(shard, entry);
    shard->bytes -= cost(entry);
    entry->chain = *garbage;
    *garbage = entry;
}

Entry *shard_find(Shard *shard, uint64_t hash, Str key, uint64_t now_ms, Entry **garbage) {
    Entry **place = place_of(shard, hash, key), *entry = *place;

    if (!entry) {
        return NULL;
    }
    if (now_ms >= entry->expires_ms) {
        take_out(shard, place, garbage);
        return NULL;
    }
    if (shard->newest != entry) {
        unlink_use(shard, entry);
        link_newest(shard, entry);
    }
    return entry;
}

static void evict_oldest(Shard *shard, Entry **garbage) {
    const Entry *oldest = shard->oldest;

    /* There is always one: the largest entry fits a shard that is otherwise empty. */
    assert(oldest);
    take_out(shard, place_of(shard, oldest->hash, (Str){oldest->bytes, oldest->key_len}), garbage);
    shard->evictions++;
}

void shard_put(Shard *shard, Entry *entry, Entry **garbage) {
    Entry **place = place_of(shard, entry->hash, (Str){entry->bytes, entry->key_len});

    if (*place) {
        take_out(shard, place, garbage);
    }
    while (shard->bytes + cost(entry) > shard->bytes_max) {
        evict_oldest(shard, garbage);
    }
    place = &shard->buckets[entry->hash & (shard->n_buckets - 1)];
    entry->chain = *place;
    *place = entry;
    link_newest(shard, entry);
    shard->bytes += cost(entry);
}

void shard_remove(Shard *shard, uint64_t hash, Str key, Entry **garbage) {
    Entry **place = place_of(shard, hash, key);

    if (*place) {
        take_out(shard, place, garbage);
    }
}
