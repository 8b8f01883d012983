/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups a second in the cache of this process, with 1 and 2 threads, beside the plain way: one
 * hash table of GLib behind one mutex, which also copies what it gives, but bounds nothing, ends
 * nothing in time and keeps no order of use.
 *   cache_bench [seconds [value-bytes]]
 * Each measurement is taken three times, in turn, and the best of each is printed.
 */
#include "adapters/cache/memory/memory.h"
#include "base/clock.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEYS    100000
#define RUNS    3
#define THREADS 2
/* What a request keeps in its arena until it ends. */
#define GETS_PER_REQUEST 10

typedef struct Table {
    pthread_mutex_t lock;
    GHashTable *entries; /* of GString */
} Table;

typedef struct Bench {
    Cache *cache;
    Table table;
    char (*keys)[32];
    uint64_t until_us;
    bool plain;
    atomic_uint_fast64_t done, missed;
} Bench;

static bool plain_get(Table *table, const char *key, Arena *arena, Str *ret_value) {
    const GString *value;

    pthread_mutex_lock(&table->lock);
    value = g_hash_table_lookup(table->entries, key);
    if (value) {
        *ret_value = (Str){arena_strdup(arena, (Str){value->str, value->len}), value->len};
    }
    pthread_mutex_unlock(&table->lock);
    return value != NULL;
}

static void *look_up(void *userdata) {
    Bench *bench = userdata;
    uint64_t done = 0, missed = 0, random = (uint64_t)(uintptr_t)&done | 1;

    while (clock_mono_us() < bench->until_us) {
        for (int i = 0; i < 100; i++) {
            Arena *arena = arena_new();
            for (int j = 0; j < GETS_PER_REQUEST; j++) {
                const char *key;
                Str value;
                random = random * 6364136223846793005u + 1442695040888963407u;
                key = bench->keys[(random >> 33) % KEYS];
                missed += bench->plain ? !plain_get(&bench->table, key, arena, &value)
                                       : cache_get(bench->cache, str_from(key), arena, &value) != 0;
            }
            arena_free(arena);
            done += GETS_PER_REQUEST;
        }
    }
    atomic_fetch_add(&bench->done, done);
    atomic_fetch_add(&bench->missed, missed);
    return NULL;
}

static double run(Bench *bench, bool plain, size_t threads, double seconds) {
    pthread_t started[THREADS];
    uint64_t since = clock_mono_us();

    bench->plain = plain;
    bench->done = 0;
    bench->until_us = since + (uint64_t)(seconds * 1e6);
    for (size_t i = 0; i < threads; i++) {
        pthread_create(&started[i], NULL, look_up, bench);
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(started[i], NULL);
    }
    return (double)bench->done * 1e6 / (double)(clock_mono_us() - since);
}

static void free_value(gpointer value) {
    g_string_free(value, TRUE);
}

static int fill(Bench *bench, Str value) {
    CacheMemoryOptions options = {.bytes_max = (uint64_t)1 << 30};
    int r = cache_memory_new(&options, &bench->cache);

    bench->keys = calloc(KEYS, sizeof(*bench->keys));
    bench->table.entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_value);
    pthread_mutex_init(&bench->table.lock, NULL);
    for (int i = 0; i < KEYS && r == 0; i++) {
        snprintf(bench->keys[i], sizeof(bench->keys[i]), "session/%016x", i * 2654435761u);
        r = cache_put(bench->cache, str_from(bench->keys[i]), value, UINT32_MAX);
        g_hash_table_insert(bench->table.entries, bench->keys[i],
                            g_string_new_len(value.ptr, (gssize)value.len));
    }
    return r;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    size_t value_len = argc > 2 ? strtoul(argv[2], NULL, 10) : 300;
    _cleanup_(freep) char *value = calloc(1, MAX(value_len, (size_t)1));
    Bench bench = {.missed = 0};

    if (fill(&bench, (Str){value, value_len}) != 0) {
        fputs("cache_bench: the cache takes no such values\n", stderr);
        return 1;
    }
    printf("%d keys, values of %zu bytes; look-ups a second, best of %d\n", KEYS, value_len, RUNS);
    for (size_t threads = 1; threads <= THREADS; threads++) {
        double best[2] = {0};
        for (int i = 0; i < RUNS * 2; i++) {
            double rate = run(&bench, i % 2, threads, seconds);
            best[i % 2] = MAX(best[i % 2], rate);
        }
        printf("%zu thread%s: cache %.0f, GHashTable with a mutex %.0f, ratio %.2f\n", threads,
               threads > 1 ? "s" : " ", best[0], best[1], best[0] / best[1]);
    }
    cache_free(bench.cache);
    g_hash_table_destroy(bench.table.entries);
    free(bench.keys);
    return bench.missed ? 1 : 0;
}
