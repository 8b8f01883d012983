/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/memory/memory.h"

#include "base/error.h"
#include "base/test.h"

#include <malloc.h>
#include <stdio.h>

static uint64_t read_clock(void *userdata) {
    return *(uint64_t *)userdata;
}

static Cache *new_cache(uint64_t bytes_max, Metrics *metrics, uint64_t *clock) {
    CacheMemoryOptions options = {.bytes_max = bytes_max, .metrics = metrics};
    Cache *cache;

    if (clock) {
        options.now_ms = read_clock;
        options.userdata = clock;
    }
    assert_int_equal(cache_memory_new(&options, &cache), 0);
    return cache;
}

static Str key_of(char buffer[32], int number) {
    int len = snprintf(buffer, 32, "session/%d", number);
    return (Str){buffer, (size_t)len};
}

static int get(Cache *cache, Str key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str value;

    return cache_get(cache, key, arena, &value);
}

static double metric_value(Metrics *metrics, const char *name) {
    _cleanup_(buf_done) Buf out = BUF_INIT;
    _cleanup_(freep) char *line = NULL;
    const char *at;

    metrics_render(metrics, &out);
    assert_true(asprintf(&line, "\n%s ", name) > 0);
    at = strstr(buf_cstr(&out), line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

static void too_small_a_bound_is_refused(void **state) {
    CacheMemoryOptions options = {.bytes_max = CACHE_MEMORY_BYTES_MIN - 1};
    Cache *cache;

    (void)state;
    assert_int_equal(cache_memory_new(&options, &cache), -EINVAL);
}

static void an_entry_ends_at_its_very_millisecond(void **state) {
    uint64_t clock = 1000, value;
    _cleanup_(cache_freep) Cache *cache = new_cache(CACHE_MEMORY_BYTES_MIN, NULL, &clock);

    (void)state;
    assert_int_equal(cache_put(cache, str_lit("k"), str_lit("v"), 50), 0);
    assert_int_equal(cache_count(cache, str_lit("n"), 9, 50, &value), 0);
    clock = 1049;
    assert_int_equal(get(cache, str_lit("k")), 0);
    assert_int_equal(cache_add(cache, str_lit("k"), str_lit("v"), 50), CACHE_E_EXISTS);
    assert_int_equal(cache_count(cache, str_lit("n"), 91, 5000, &value), 0);
    assert_int_equal(value, 100);
    clock = 1050;
    assert_int_equal(get(cache, str_lit("k")), CACHE_E_MISS);
    assert_int_equal(cache_add(cache, str_lit("k"), str_lit("v"), 50), 0);
    assert_int_equal(cache_count(cache, str_lit("n"), 1, 50, &value), 0);
    assert_int_equal(value, 1);
}

static void the_longest_time_to_live_does_not_wrap(void **state) {
    uint64_t clock = UINT32_MAX;
    _cleanup_(cache_freep) Cache *cache = new_cache(CACHE_MEMORY_BYTES_MIN, NULL, &clock);

    (void)state;
    assert_int_equal(cache_put(cache, str_lit("k"), str_lit("v"), UINT32_MAX), 0);
    clock += UINT32_MAX - 1;
    assert_int_equal(get(cache, str_lit("k")), 0);
}

static void the_least_recently_used_goes_first(void **state) {
    static char value[100 << 10];
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(cache_freep) Cache *cache = new_cache(CACHE_MEMORY_BYTES_MIN, metrics, NULL);
    int kept = 0, evicted = 0;
    char key[32];

    (void)state;
    /* Number 0 is asked for all the time, the others never. */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(cache_put(cache, key_of(key, i), (Str){value, sizeof(value)}, 60000), 0);
        assert_int_equal(get(cache, key_of(key, 0)), 0);
        assert_in_range(metric_value(metrics, "imagesync_cache_bytes"), 1, CACHE_MEMORY_BYTES_MIN);
    }
    /* Then come the newest, in one row. */
    while (kept < 99 && get(cache, key_of(key, 99 - kept)) == 0) {
        kept++;
    }
    for (int i = 1; i < 100 - kept; i++) {
        evicted += get(cache, key_of(key, i)) == CACHE_E_MISS;
    }
    assert_in_range(kept, 17, 19);
    assert_int_equal(evicted, 99 - kept);
    assert_int_equal(metric_value(metrics, "imagesync_cache_evictions_total"), evicted);
}

static void the_largest_value_fits_the_smallest_cache(void **state) {
    _cleanup_(cache_freep) Cache *cache = new_cache(CACHE_MEMORY_BYTES_MIN, NULL, NULL);
    _cleanup_(freep) char *value = calloc(1, CACHE_VALUE_LEN_MAX);
    char key[CACHE_KEY_LEN_MAX] = {1};

    (void)state;
    for (int i = 0; i < 10; i++) {
        key[1] = (char)i;
        assert_int_equal(
            cache_put(cache, (Str){key, sizeof(key)}, (Str){value, CACHE_VALUE_LEN_MAX}, 1000), 0);
        assert_int_equal(get(cache, (Str){key, sizeof(key)}), 0);
    }
}

#ifndef IMAGESYNC_SANITIZED
/* A sanitizer's allocator is not the one that is counted. */
static void the_bytes_are_what_the_process_allocates(void **state) {
    const uint64_t bytes_max = (uint64_t)32 << 20;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, used;
    _cleanup_(cache_freep) Cache *cache = new_cache(bytes_max, NULL, NULL);
    char key[32];

    (void)state;
    for (int i = 0; i < 400000; i++) {
        assert_int_equal(cache_put(cache, key_of(key, i), str_lit("a short value"), 60000), 0);
    }
    used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    assert_in_range(used, bytes_max * 9 / 10, bytes_max * 101 / 100);
}
#endif

static void hits_and_misses_are_told(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(cache_freep) Cache *cache = new_cache((uint64_t)16 << 20, metrics, NULL);
    double empty = metric_value(metrics, "imagesync_cache_bytes");
    char key[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(cache_put(cache, key_of(key, i), str_lit("v"), 60000), 0);
    }
    for (int i = 0; i < 1500; i++) {
        get(cache, key_of(key, i));
    }
    assert_int_equal(metric_value(metrics, "imagesync_cache_hits_total"), 1000);
    assert_int_equal(metric_value(metrics, "imagesync_cache_misses_total"), 500);
    assert_true(metric_value(metrics, "imagesync_cache_bytes") > empty);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(cache_remove(cache, key_of(key, i)), 0);
    }
    assert_true(metric_value(metrics, "imagesync_cache_bytes") == empty);
}

static void a_value_put_by_hand_can_be_counted_on(void **state) {
    uint64_t clock = 1000, value;
    _cleanup_(cache_freep) Cache *cache = new_cache(CACHE_MEMORY_BYTES_MIN, NULL, &clock);

    (void)state;
    /* It gets more digits than it had room for, and keeps its end. */
    assert_int_equal(cache_put(cache, str_lit("n"), str_lit("99"), 50), 0);
    assert_int_equal(cache_count(cache, str_lit("n"), 1, 5000, &value), 0);
    assert_int_equal(value, 100);
    clock = 1050;
    assert_int_equal(get(cache, str_lit("n")), CACHE_E_MISS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_small_a_bound_is_refused),
        cmocka_unit_test(an_entry_ends_at_its_very_millisecond),
        cmocka_unit_test(the_longest_time_to_live_does_not_wrap),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(the_largest_value_fits_the_smallest_cache),
#ifndef IMAGESYNC_SANITIZED
        cmocka_unit_test(the_bytes_are_what_the_process_allocates),
#endif
        cmocka_unit_test(hits_and_misses_are_told),
        cmocka_unit_test(a_value_put_by_hand_can_be_counted_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
