/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every cache does, whichever stands behind the port: cache_test memory|redis. For Redis it
 * starts a server of its own.
 */

#include "adapters/cache/memory/memory.h"
#include "adapters/cache/redis/redis.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/test.h"
#include "contract/redis_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define LONG_MS 60000
/* Long enough to see an entry before it ends, on a busy machine too. */
#define SHORT_MS 300
/* So long an entry stays at least: the server and this test count whole milliseconds, each by a
 * clock of its own. */
#define STAYS_MS (SHORT_MS - 2)
/* By then what has ended is gone, however slow the machine is. */
#define PATIENCE_MS 10000

static Cache *cache;

/* Each test has keys of its own, as the cache lives through all of them. */
static Str key_of(char buffer[CACHE_KEY_LEN_MAX], const char *test, int number) {
    int len = snprintf(buffer, CACHE_KEY_LEN_MAX, "%s/%d", test, number);
    return (Str){buffer, (size_t)len};
}

static void assert_value(Str key, Str expected) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str value;

    assert_int_equal(cache_get(cache, key, arena, &value), 0);
    assert_int_equal(value.len, expected.len);
    assert_memory_equal(value.ptr, expected.ptr, expected.len);
}

static int get(Str key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str value;

    return cache_get(cache, key, arena, &value);
}

static void assert_count(Str key, uint64_t by, uint64_t expected) {
    uint64_t value;

    assert_int_equal(cache_count(cache, key, by, LONG_MS, &value), 0);
    assert_int_equal(value, expected);
}

static void pause_a_little(void) {
    nanosleep(&(struct timespec){.tv_nsec = 5 * 1000000L}, NULL);
}

/* Waits until the key is gone and returns the milliseconds since `since`. */
static uint64_t wait_until_gone(Str key, uint64_t since) {
    while (get(key) == 0 && clock_mono_ms() - since < PATIENCE_MS) {
        pause_a_little();
    }
    assert_int_equal(get(key), CACHE_E_MISS);
    return clock_mono_ms() - since;
}

static void what_is_put_is_got_until_it_is_removed(void **state) {
    Str key = str_lit("basic/a");
    Arena *arena = arena_new();
    Str value = str_lit("untouched");

    (void)state;
    assert_int_equal(cache_get(cache, key, arena, &value), CACHE_E_MISS);
    assert_true(str_equal(value, str_lit("untouched")));
    assert_int_equal(cache_put(cache, key, str_lit("one"), LONG_MS), 0);
    assert_value(key, str_lit("one"));
    assert_int_equal(cache_put(cache, key, str_lit("the second"), LONG_MS), 0);
    assert_value(key, str_lit("the second"));
    assert_int_equal(get(str_lit("basic/A")), CACHE_E_MISS);
    assert_int_equal(get(str_lit("basic/")), CACHE_E_MISS);
    assert_int_equal(cache_get(cache, key, arena, &value), 0);
    assert_int_equal(cache_remove(cache, key), 0);
    assert_int_equal(cache_remove(cache, key), 0);
    assert_int_equal(get(key), CACHE_E_MISS);
    /* It is the arena's, not the cache's. */
    assert_true(str_equal(value, str_lit("the second")));
    arena_free(arena);
}

static void add_refuses_what_is_there(void **state) {
    Str key = str_lit("add/a");

    (void)state;
    assert_int_equal(cache_add(cache, key, str_lit("first"), LONG_MS), 0);
    assert_int_equal(cache_add(cache, key, str_lit("second"), LONG_MS), CACHE_E_EXISTS);
    assert_value(key, str_lit("first"));
    assert_int_equal(cache_remove(cache, key), 0);
    assert_int_equal(cache_add(cache, key, str_lit("third"), LONG_MS), 0);
    assert_value(key, str_lit("third"));
}

static void the_greatest_is_kept(void **state) {
    Str key = str_lit("raise/a");

    (void)state;
    assert_int_equal(cache_raise(cache, key, str_lit("00000001-00000000/00000009"), LONG_MS), 0);
    assert_value(key, str_lit("00000001-00000000/00000009"));
    assert_int_equal(cache_raise(cache, key, str_lit("00000001-00000000/0000000A"), LONG_MS), 0);
    assert_int_equal(cache_raise(cache, key, str_lit("00000001-00000000/00000002"), LONG_MS), 0);
    assert_value(key, str_lit("00000001-00000000/0000000A"));
    assert_int_equal(cache_raise(cache, key, str_lit("00000002-00000000/00000000"), LONG_MS), 0);
    assert_value(key, str_lit("00000002-00000000/00000000"));
    assert_int_equal(cache_raise(cache, key, str_lit("primary"), LONG_MS), 0);
    assert_int_equal(cache_raise(cache, key, str_lit("00000003-00000000/00000000"), LONG_MS), 0);
    assert_value(key, str_lit("primary"));
    assert_int_equal(cache_raise(cache, key, str_lit(""), LONG_MS), 0);
    assert_value(key, str_lit("primary"));
    assert_int_equal(cache_remove(cache, key), 0);
    assert_int_equal(cache_raise(cache, key, str_lit(""), LONG_MS), 0);
    assert_value(key, str_lit(""));
}

static void counts_and_reads_counters(void **state) {
    Str key = str_lit("count/a");

    (void)state;
    assert_count(key, 0, 0);
    /* Reading made none. */
    assert_int_equal(get(key), CACHE_E_MISS);
    assert_count(key, 3, 3);
    assert_count(key, 1000000007, 1000000010);
    assert_count(key, 0, 1000000010);
    assert_value(key, str_lit("1000000010"));
    assert_int_equal(cache_remove(cache, key), 0);
    assert_count(key, 0, 0);
    assert_count(key, 1, 1);
}

static void a_counter_is_never_wrapped(void **state) {
    Str key = str_lit("count/large");
    uint64_t value;

    (void)state;
    assert_count(key, INT64_MAX - 1, INT64_MAX - 1);
    assert_count(key, 1, INT64_MAX);
    assert_int_equal(cache_count(cache, key, 1, LONG_MS, &value), -EINVAL);
    assert_int_equal(cache_count(cache, key, UINT64_MAX, LONG_MS, &value), -EINVAL);
    assert_count(key, 0, INT64_MAX);
}

static void what_is_no_number_is_not_counted_on(void **state) {
    Str key = str_lit("count/text");
    uint64_t value;

    (void)state;
    assert_int_equal(cache_put(cache, key, str_lit("seven"), LONG_MS), 0);
    assert_int_equal(cache_count(cache, key, 1, LONG_MS, &value), -EINVAL);
    assert_int_equal(cache_count(cache, key, 0, LONG_MS, &value), -EINVAL);
    assert_value(key, str_lit("seven"));
}

static void entries_end_in_time(void **state) {
    uint64_t since = clock_mono_ms();
    uint64_t value;

    (void)state;
    assert_int_equal(cache_put(cache, str_lit("ttl/put"), str_lit("v"), SHORT_MS), 0);
    assert_int_equal(cache_add(cache, str_lit("ttl/add"), str_lit("v"), SHORT_MS), 0);
    assert_int_equal(cache_count(cache, str_lit("ttl/n"), 5, SHORT_MS, &value), 0);
    assert_int_equal(cache_put(cache, str_lit("ttl/long"), str_lit("v"), LONG_MS), 0);
    /* Each of the three was put within this time, so none may be gone before it has passed. */
    assert_in_range(wait_until_gone(str_lit("ttl/put"), since), STAYS_MS, PATIENCE_MS);
    assert_in_range(wait_until_gone(str_lit("ttl/add"), since), STAYS_MS, PATIENCE_MS);
    assert_in_range(wait_until_gone(str_lit("ttl/n"), since), STAYS_MS, PATIENCE_MS);
    assert_int_equal(cache_add(cache, str_lit("ttl/add"), str_lit("again"), LONG_MS), 0);
    assert_count(str_lit("ttl/n"), 2, 2);
    assert_int_equal(get(str_lit("ttl/long")), 0);
}

static void counting_on_does_not_prolong(void **state) {
    Str key = str_lit("ttl/window");
    uint64_t since = clock_mono_ms(), value = 0, last = 0;
    bool ended = false;

    (void)state;
    /* Counted on all the time with a long time to live, it still ends with the first one's. */
    assert_int_equal(cache_count(cache, key, 1, SHORT_MS, &value), 0);
    while (!ended && clock_mono_ms() - since < PATIENCE_MS) {
        last = value;
        assert_int_equal(cache_count(cache, key, 1, LONG_MS, &value), 0);
        ended = value <= last;
        pause_a_little();
    }
    assert_true(ended);
    assert_int_equal(value, 1);
    assert_true(last > 1);
    assert_in_range(clock_mono_ms() - since, STAYS_MS, PATIENCE_MS);
}

static void putting_again_prolongs_and_shortens(void **state) {
    Str key = str_lit("ttl/again");
    uint64_t since;

    (void)state;
    assert_int_equal(cache_put(cache, key, str_lit("v"), 1), 0);
    assert_int_equal(cache_put(cache, key, str_lit("v"), LONG_MS), 0);
    pause_a_little();
    assert_int_equal(get(key), 0);
    since = clock_mono_ms();
    assert_int_equal(cache_put(cache, key, str_lit("v"), SHORT_MS), 0);
    assert_in_range(wait_until_gone(key, since), STAYS_MS, PATIENCE_MS);
}

static void any_byte_is_kept(void **state) {
    char bytes[256], key[CACHE_KEY_LEN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)i;
    }
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (char)(i + 56);
    }
    key[1] = '\r';
    key[2] = '\n';
    assert_int_equal(
        cache_put(cache, (Str){key, sizeof(key)}, (Str){bytes, sizeof(bytes)}, LONG_MS), 0);
    assert_value((Str){key, sizeof(key)}, (Str){bytes, sizeof(bytes)});
    /* A key that ends at a NUL byte of the other is another. */
    assert_int_equal(cache_put(cache, (Str){"bin\0a", 5}, str_lit("a"), LONG_MS), 0);
    assert_int_equal(get((Str){"bin", 3}), CACHE_E_MISS);
    assert_int_equal(get((Str){"bin\0b", 5}), CACHE_E_MISS);
    assert_int_equal(cache_put(cache, str_lit("bin/empty"), str_lit(""), LONG_MS), 0);
    assert_value(str_lit("bin/empty"), str_lit(""));
    assert_int_equal(cache_add(cache, str_lit("bin/empty"), str_lit("v"), LONG_MS), CACHE_E_EXISTS);
}

static void bounds_are_kept(void **state) {
    _cleanup_(freep) char *large = calloc(1, CACHE_VALUE_LEN_MAX + 1);
    Str value = {large, CACHE_VALUE_LEN_MAX};
    Str over = {large, CACHE_VALUE_LEN_MAX + 1};
    Str keys[] = {{large, CACHE_KEY_LEN_MAX + 1}, {"", 0}};
    Str key = str_lit("bounds/value");
    uint64_t got;

    (void)state;
    for (size_t i = 0; i < CACHE_VALUE_LEN_MAX; i++) {
        large[i] = (char)(i * 31 >> 3);
    }
    assert_int_equal(cache_put(cache, key, value, LONG_MS), 0);
    assert_value(key, value);
    assert_int_equal(cache_put(cache, key, over, LONG_MS), -EINVAL);
    assert_int_equal(cache_add(cache, str_lit("bounds/other"), over, LONG_MS), -EINVAL);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_int_equal(get(keys[i]), -EINVAL);
        assert_int_equal(cache_put(cache, keys[i], str_lit("v"), LONG_MS), -EINVAL);
        assert_int_equal(cache_add(cache, keys[i], str_lit("v"), LONG_MS), -EINVAL);
        assert_int_equal(cache_remove(cache, keys[i]), -EINVAL);
        assert_int_equal(cache_count(cache, keys[i], 1, LONG_MS, &got), -EINVAL);
    }
    assert_int_equal(cache_put(cache, str_lit("bounds/ttl"), str_lit("v"), 0), -EINVAL);
    assert_int_equal(cache_add(cache, str_lit("bounds/ttl"), str_lit("v"), 0), -EINVAL);
    assert_int_equal(cache_count(cache, str_lit("bounds/ttl"), 1, 0, &got), -EINVAL);
    /* It goes on after all that. */
    assert_value(key, value);
}

static void many_keys_do_not_meet(void **state) {
    char key[CACHE_KEY_LEN_MAX], value[32];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        snprintf(value, sizeof(value), "value %d", i);
        assert_int_equal(cache_put(cache, key_of(key, "many", i), str_from(value), LONG_MS), 0);
    }
    for (int i = 0; i < 5000; i += 2) {
        assert_int_equal(cache_remove(cache, key_of(key, "many", i)), 0);
    }
    for (int i = 0; i < 5000; i++) {
        Str name = key_of(key, "many", i);
        snprintf(value, sizeof(value), "value %d", i);
        if (i % 2 == 0) {
            assert_int_equal(get(name), CACHE_E_MISS);
        } else {
            assert_value(name, str_from(value));
        }
    }
}

/* Threads that start together; each counts what it saw, as cmocka asserts on one thread only. */
typedef struct Race {
    pthread_barrier_t start;
    atomic_int won, lost, faults;
    atomic_bool over;
} Race;

static void run_race(Race *race, void *(*runner)(void *)) {
    pthread_t threads[THREADS];

    pthread_barrier_init(&race->start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, runner, race), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&race->start);
}

#define ROUNDS 100

static void *add_each(void *userdata) {
    Race *race = userdata;
    char key[CACHE_KEY_LEN_MAX];

    for (int i = 0; i < ROUNDS; i++) {
        int r;
        pthread_barrier_wait(&race->start);
        r = cache_add(cache, key_of(key, "race", i), str_lit("mine"), LONG_MS);
        atomic_fetch_add(r == 0 ? &race->won : r > 0 ? &race->lost : &race->faults, 1);
    }
    return NULL;
}

static void exactly_one_add_wins(void **state) {
    Race race = {.won = 0};

    (void)state;
    run_race(&race, add_each);
    assert_int_equal(race.faults, 0);
    assert_int_equal(race.won, ROUNDS);
    assert_int_equal(race.lost, ROUNDS * (THREADS - 1));
}

static void *count_up(void *userdata) {
    Race *race = userdata;
    uint64_t value, last = 0;

    pthread_barrier_wait(&race->start);
    for (int i = 0; i < ROUNDS * 5; i++) {
        int r = cache_count(cache, str_lit("race/n"), 1, LONG_MS, &value);
        atomic_fetch_add(r != 0 ? &race->faults : value > last ? &race->won : &race->lost, 1);
        last = value;
    }
    return NULL;
}

static void no_increment_is_lost(void **state) {
    Race race = {.won = 0};

    (void)state;
    run_race(&race, count_up);
    assert_int_equal(race.faults, 0);
    assert_int_equal(race.won, THREADS * ROUNDS * 5);
    assert_count(str_lit("race/n"), 0, THREADS * ROUNDS * 5);
}

/* A value of one byte many times over, so that a mixture of two would show. */
static void *put_and_get(void *userdata) {
    Race *race = userdata;
    char value[2000];

    for (int i = 0; i < ROUNDS; i++) {
        Arena *arena = arena_new();
        Str got;
        int r;
        memset(value, 'a' + i % 26, sizeof(value));
        pthread_barrier_wait(&race->start);
        if (cache_put(cache, str_lit("race/value"), (Str){value, sizeof(value) - (size_t)i},
                      LONG_MS)) {
            atomic_fetch_add(&race->faults, 1);
        }
        r = cache_get(cache, str_lit("race/value"), arena, &got);
        for (size_t j = 0; r == 0 && j < got.len; j++) {
            r = got.ptr[j] != got.ptr[0];
        }
        atomic_fetch_add(r == 0 ? &race->won : &race->faults, 1);
        if (i % 3 == 0) {
            pthread_barrier_wait(&race->start);
            cache_remove(cache, str_lit("race/value"));
            pthread_barrier_wait(&race->start);
        }
        arena_free(arena);
    }
    return NULL;
}

static void values_are_never_mixed(void **state) {
    Race race = {.won = 0};

    (void)state;
    run_race(&race, put_and_get);
    assert_int_equal(race.faults, 0);
    assert_int_equal(race.won, THREADS * ROUNDS);
}

static int run(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_got_until_it_is_removed),
        cmocka_unit_test(add_refuses_what_is_there),
        cmocka_unit_test(the_greatest_is_kept),
        cmocka_unit_test(counts_and_reads_counters),
        cmocka_unit_test(a_counter_is_never_wrapped),
        cmocka_unit_test(what_is_no_number_is_not_counted_on),
        cmocka_unit_test(entries_end_in_time),
        cmocka_unit_test(counting_on_does_not_prolong),
        cmocka_unit_test(putting_again_prolongs_and_shortens),
        cmocka_unit_test(any_byte_is_kept),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(many_keys_do_not_meet),
        cmocka_unit_test(exactly_one_add_wins),
        cmocka_unit_test(no_increment_is_lost),
        cmocka_unit_test(values_are_never_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_memory(void) {
    CacheMemoryOptions options = {.bytes_max = (uint64_t)64 << 20};
    int failed;

    if (cache_memory_new(&options, &cache) < 0) {
        return 1;
    }
    failed = run();
    cache_free(cache);
    return failed;
}

static int run_on(const char *url, const char *ca_file) {
    /* No call is to fail because the machine is busy. */
    CacheRedisOptions options = {.url = url,
                                 .prefix = "contract/",
                                 .connections_max = THREADS / 2,
                                 .files = {.authorities = ca_file},
                                 .timeout_ms = PATIENCE_MS};
    const char *error;
    int failed = 1;

    if (cache_redis_new(&options, &cache, &error) == 0) {
        failed = run();
        cache_free(cache);
    }
    return failed;
}

static int run_redis(void) {
    RedisServer server;
    int r = redis_server_start(&server, 0, NULL), failed;
    char url[64];

    if (r < 0) {
        return redis_server_explain(r);
    }
    snprintf(url, sizeof(url), "redis://127.0.0.1:%u", server.port);
    failed = run_on(url, "");
    redis_server_stop(&server);
    return failed;
}

/* The certificate is its own authority. */
static int run_redis_with_tls(void) {
    char folder[] = "/tmp/imagesync-cache-XXXXXX", command[512], url[64], port[8];
    char certificate[64], key[64];
    const char *extra[] = {"--tls-port",
                           port,
                           "--tls-cert-file",
                           certificate,
                           "--tls-key-file",
                           key,
                           "--tls-auth-clients",
                           "no",
                           NULL};
    RedisServer server;
    int r, failed;

    if (!mkdtemp(folder)) {
        return 1;
    }
    snprintf(port, sizeof(port), "%u", redis_server_free_port());
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 "
             "-subj /CN=redis -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             key, certificate);
    r = system(command) == 0 ? redis_server_start(&server, 0, extra) : -EIO;
    if (r < 0) {
        return redis_server_explain(r);
    }
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%s", port);
    failed = run_on(url, certificate);
    redis_server_stop(&server);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
    return failed;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(void);
    } adapters[] = {
        {"memory", run_memory}, {"redis", run_redis}, {"redis_tls", run_redis_with_tls}};

    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(adapters); i++) {
        if (strcmp(argv[1], adapters[i].name) == 0) {
            return adapters[i].run();
        }
    }
    fprintf(stderr, "usage: cache_test memory|redis|redis_tls\n");
    return 2;
}
