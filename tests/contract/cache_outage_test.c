/* SPDX-License-Identifier: Apache-2.0 */

/* What Redis alone can do to a cache: be away, come back, be slow, refuse, or be shared. */

#include "adapters/cache/redis/redis.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/test.h"
#include "contract/redis_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS     60000
#define PATIENCE_MS 10000
/* Of most tests: nothing here is slow but what is meant to be. */
#define TIMEOUT_MS 2000

static Cache *open_cache(const char *url, CacheRedisOptions options) {
    const char *error = "";
    Cache *cache = NULL;

    options.url = url;
    options.prefix = options.prefix ? options.prefix : "t/";
    options.connections_max = options.connections_max ? options.connections_max : 4;
    options.timeout_ms = options.timeout_ms ? options.timeout_ms : TIMEOUT_MS;
    assert_int_equal(cache_redis_new(&options, &cache, &error), 0);
    return cache;
}

static Cache *open_at(uint16_t port, CacheRedisOptions options) {
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%u", port);
    return open_cache(url, options);
}

static RedisServer start(uint16_t port, const char *const *extra) {
    RedisServer server;

    assert_int_equal(redis_server_start(&server, port, extra), 0);
    return server;
}

static int get(Cache *cache, Str key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str value;

    return cache_get(cache, key, arena, &value);
}

static int put(Cache *cache, Str key) {
    return cache_put(cache, key, str_lit("v"), LONG_MS);
}

static void pause_a_little(void) {
    nanosleep(&(struct timespec){.tv_nsec = 5 * 1000000L}, NULL);
}

static void assert_comes_back(Cache *cache) {
    uint64_t until = clock_mono_ms() + PATIENCE_MS;

    while (put(cache, str_lit("back")) != 0 && clock_mono_ms() < until) {
        pause_a_little();
    }
    assert_int_equal(put(cache, str_lit("back")), 0);
    assert_int_equal(get(cache, str_lit("back")), 0);
}

/* Every call is answered -EIO, and the usual one within microseconds. */
static void assert_fails_at_once(Cache *cache) {
    uint64_t took[1000], count, fast = 0;

    for (size_t i = 0; i < ARRAY_LEN(took); i++) {
        took[i] = clock_mono_us();
        assert_int_equal(get(cache, str_lit("k")), -EIO);
        took[i] = clock_mono_us() - took[i];
        fast += took[i] < 100;
    }
    assert_true(fast > ARRAY_LEN(took) * 9 / 10);
    assert_int_equal(put(cache, str_lit("k")), -EIO);
    assert_int_equal(cache_add(cache, str_lit("k"), str_lit("v"), LONG_MS), -EIO);
    assert_int_equal(cache_remove(cache, str_lit("k")), -EIO);
    assert_int_equal(cache_count(cache, str_lit("n"), 1, LONG_MS, &count), -EIO);
    assert_int_equal(cache_count(cache, str_lit("n"), 0, LONG_MS, &count), -EIO);
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

static void a_killed_server_fails_calls_at_once_until_it_is_back(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(redis_server_stop) RedisServer server = start(0, NULL);
    uint16_t port = server.port;
    _cleanup_(cache_freep) Cache *cache = open_at(port, (CacheRedisOptions){.metrics = metrics});

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(cache, str_lit("k")), 0);
        assert_int_equal(get(cache, str_lit("k")), 0);
        assert_true(metric_value(metrics, "imagesync_cache_up") == 1);
        redis_server_stop(&server);
        assert_fails_at_once(cache);
        assert_true(metric_value(metrics, "imagesync_cache_up") == 0);
        assert_true(metric_value(metrics, "imagesync_cache_errors_total{reason=\"down\"}") >= 999);
        server = start(port, NULL);
        assert_comes_back(cache);
        assert_int_equal(get(cache, str_lit("k")), CACHE_E_MISS);
    }
    assert_true(metric_value(metrics, "imagesync_cache_hits_total") >= 3);
    assert_true(metric_value(metrics, "imagesync_cache_misses_total") >= 3);
}

static void a_server_that_hangs_costs_one_time_out(void **state) {
    _cleanup_(redis_server_stop) RedisServer server = start(0, NULL);
    _cleanup_(cache_freep) Cache *cache =
        open_at(server.port, (CacheRedisOptions){.timeout_ms = 200});
    uint64_t since;

    (void)state;
    assert_comes_back(cache);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    since = clock_mono_ms();
    assert_int_equal(get(cache, str_lit("k")), -EIO);
    assert_in_range(clock_mono_ms() - since, 195, 2000);
    assert_fails_at_once(cache);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_comes_back(cache);
}

static void a_server_may_come_later(void **state) {
    RedisServer server = {.pid = 0};
    uint16_t port = redis_server_free_port();
    uint64_t since = clock_mono_ms();
    _cleanup_(cache_freep) Cache *cache = open_at(port, (CacheRedisOptions){.prefix = NULL});

    (void)state;
    /* Nobody listens there: it needs no time-out to know. */
    assert_in_range(clock_mono_ms() - since, 0, TIMEOUT_MS - 1);
    assert_fails_at_once(cache);
    server = start(port, NULL);
    assert_comes_back(cache);
    redis_server_stop(&server);
}

static void a_connection_closed_while_idle_is_not_noticed(void **state) {
    _cleanup_(redis_server_stop) RedisServer server = start(0, NULL);
    _cleanup_(cache_freep) Cache *cache = open_at(server.port, (CacheRedisOptions){.prefix = NULL});
    char answer[64];

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(put(cache, str_lit("k")), 0);
        assert_int_equal(
            redis_server_ask(server.port, "CLIENT KILL TYPE normal", answer, sizeof(answer)), 0);
        assert_string_equal(answer, ":1\r\n");
        assert_int_equal(get(cache, str_lit("k")), 0);
    }
}

typedef struct Load {
    Cache *cache;
    atomic_int faults;
} Load;

static void *load(void *userdata) {
    Load *self = userdata;

    for (int i = 0; i < 200; i++) {
        atomic_fetch_add(&self->faults, put(self->cache, str_lit("k")) != 0);
    }
    return NULL;
}

static void the_pool_is_bounded(void **state) {
    _cleanup_(redis_server_stop) RedisServer server = start(0, NULL);
    _cleanup_(cache_freep) Cache *cache =
        open_at(server.port, (CacheRedisOptions){.connections_max = 2, .timeout_ms = PATIENCE_MS});
    Load self = {.cache = cache};
    pthread_t threads[8];
    char answer[4096];
    const char *at;
    unsigned long before, after;

    (void)state;
    assert_int_equal(redis_server_ask(server.port, "INFO stats", answer, sizeof(answer)), 0);
    at = strstr(answer, "total_connections_received:");
    assert_non_null(at);
    before = strtoul(strchr(at, ':') + 1, NULL, 10);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, load, &self), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(self.faults, 0);
    assert_int_equal(redis_server_ask(server.port, "INFO stats", answer, sizeof(answer)), 0);
    at = strstr(answer, "total_connections_received:");
    assert_non_null(at);
    after = strtoul(strchr(at, ':') + 1, NULL, 10);
    /* One is this test's, one was there before, so one more at most. */
    assert_in_range(after - before, 1, 2);
}

/* Whether the cache works for who signs in so, in that database. */
static int try_as(uint16_t port, const char *who, const char *database) {
    Cache *cache;
    char url[128];
    int r;

    snprintf(url, sizeof(url), "redis://%s127.0.0.1:%u%s", who, port, database);
    cache = open_cache(url, (CacheRedisOptions){.prefix = NULL});
    r = put(cache, str_lit("k"));
    if (r == 0) {
        r = get(cache, str_lit("k"));
    }
    cache_free(cache);
    return r;
}

static void users_passwords_and_databases(void **state) {
    static const char *const extra[] = {"--requirepass", "main secret", "--user", "app", "on",
                                        ">p@ss/word",    "~t/*",        "+@all",  NULL};
    _cleanup_(redis_server_stop) RedisServer server = start(0, extra);

    (void)state;
    assert_int_equal(try_as(server.port, ":main%20secret@", ""), 0);
    assert_int_equal(try_as(server.port, "default:main%20secret@", "/"), 0);
    assert_int_equal(try_as(server.port, "app:p%40ss%2Fword@", "/15"), 0);
    assert_int_equal(try_as(server.port, "", ""), -EIO);
    assert_int_equal(try_as(server.port, ":wrong@", ""), -EIO);
    assert_int_equal(try_as(server.port, "app:main%20secret@", ""), -EIO);
    assert_int_equal(try_as(server.port, ":main%20secret@", "/16"), -EIO);
}

static void databases_and_prefixes_keep_apart(void **state) {
    _cleanup_(redis_server_stop) RedisServer server = start(0, NULL);
    _cleanup_(cache_freep) Cache *a = open_at(server.port, (CacheRedisOptions){.prefix = "a/"});
    _cleanup_(cache_freep) Cache *b = open_at(server.port, (CacheRedisOptions){.prefix = "b/"});
    _cleanup_(cache_freep) Cache *again = open_at(server.port, (CacheRedisOptions){.prefix = "a/"});
    _cleanup_(cache_freep) Cache *other = NULL;
    char answer[64], url[64];

    (void)state;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%u/5", server.port);
    other = open_cache(url, (CacheRedisOptions){.prefix = "a/"});
    assert_int_equal(put(a, str_lit("k")), 0);
    assert_int_equal(get(again, str_lit("k")), 0);
    assert_int_equal(get(b, str_lit("k")), CACHE_E_MISS);
    assert_int_equal(get(other, str_lit("k")), CACHE_E_MISS);
    assert_int_equal(redis_server_ask(server.port, "GET a/k", answer, sizeof(answer)), 0);
    assert_string_equal(answer, "$1\r\nv\r\n");
    assert_int_equal(put(other, str_lit("other")), 0);
    assert_int_equal(get(a, str_lit("other")), CACHE_E_MISS);
}

/* Out of memory it refuses to keep more, and that is no reason not to read what is there. */
static void a_full_server_is_still_read(void **state) {
    _cleanup_(redis_server_stop) RedisServer server = start(0, NULL);
    _cleanup_(cache_freep) Cache *cache = open_at(server.port, (CacheRedisOptions){.prefix = NULL});
    uint64_t count;
    char answer[64];

    (void)state;
    assert_int_equal(put(cache, str_lit("k")), 0);
    assert_int_equal(
        redis_server_ask(server.port, "CONFIG SET maxmemory 1", answer, sizeof(answer)), 0);
    assert_string_equal(answer, "+OK\r\n");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(put(cache, str_lit("more")), -EIO);
        assert_int_equal(cache_count(cache, str_lit("n"), 1, LONG_MS, &count), -EIO);
        assert_int_equal(get(cache, str_lit("k")), 0);
    }
}

/* A server that greets as Redis does and then says `line`, over and over, a byte at a time. */
typedef struct Impostor {
    int listen_fd;
    uint16_t port;
    const char *line;
    pthread_t thread;
} Impostor;

static void *pretend(void *userdata) {
    const Impostor *self = userdata;
    char in[256];
    int fd;

    while ((fd = accept4(self->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (recv(fd, in, sizeof(in), 0) > 0 && send(fd, "+PONG\r\n", 7, MSG_NOSIGNAL) == 7 &&
            recv(fd, in, sizeof(in), 0) > 0) {
            const char *at = self->line;
            while (send(fd, at, 1, MSG_NOSIGNAL) == 1) {
                at = at[1] ? at + 1 : self->line;
                nanosleep(&(struct timespec){.tv_nsec = 1000000L}, NULL);
            }
        }
        close(fd);
    }
    return NULL;
}

static void impostor_start(Impostor *self, const char *line) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    self->line = line;
    self->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(self->listen_fd >= 0);
    assert_int_equal(bind(self->listen_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(self->listen_fd, 8), 0);
    assert_int_equal(getsockname(self->listen_fd, (struct sockaddr *)&address, &len), 0);
    self->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&self->thread, NULL, pretend, self), 0);
}

static void impostor_stop(Impostor *self) {
    shutdown(self->listen_fd, SHUT_RDWR);
    pthread_join(self->thread, NULL);
    close(self->listen_fd);
}

static void what_is_not_redis_is_given_up_in_time(void **state) {
    static const char *const lines[] = {
        "HTTP/1.1 200 OK\r\n", /* no such reply */
        "$100000\r\n.",        /* never whole in time */
        "*2\r\n",              /* nested without end */
        "$-7\r\n",
        "$9999999999999\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        Impostor impostor;
        Cache *cache;
        uint64_t since;
        impostor_start(&impostor, lines[i]);
        cache = open_at(impostor.port, (CacheRedisOptions){.timeout_ms = 200});
        since = clock_mono_ms();
        assert_int_equal(get(cache, str_lit("k")), -EIO);
        assert_in_range(clock_mono_ms() - since, 0, 2000);
        cache_free(cache);
        impostor_stop(&impostor);
    }
}

static void wrong_options_are_explained(void **state) {
    static const CacheRedisOptions wrong[] = {
        {.url = "rediss://h",
         .files = {.authorities = "/nonexistent"},
         .prefix = "",
         .connections_max = 1,
         .timeout_ms = 1},
        {.url = "redis://127.0.0.1", .prefix = "", .connections_max = 0, .timeout_ms = 1},
        {.url = "redis://127.0.0.1", .prefix = "", .connections_max = 1, .timeout_ms = 0},
        {.url = "redis://127.0.0.1",
         .prefix = "12345678901234567890123456789012345678901234567890123456789012345",
         .connections_max = 1,
         .timeout_ms = 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *error = NULL;
        Cache *cache;
        assert_int_equal(cache_redis_new(&wrong[i], &cache, &error), -EINVAL);
        assert_non_null(error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_server_fails_calls_at_once_until_it_is_back),
        cmocka_unit_test(a_server_that_hangs_costs_one_time_out),
        cmocka_unit_test(a_server_may_come_later),
        cmocka_unit_test(a_connection_closed_while_idle_is_not_noticed),
        cmocka_unit_test(the_pool_is_bounded),
        cmocka_unit_test(users_passwords_and_databases),
        cmocka_unit_test(databases_and_prefixes_keep_apart),
        cmocka_unit_test(a_full_server_is_still_read),
        cmocka_unit_test(what_is_not_redis_is_given_up_in_time),
        cmocka_unit_test(wrong_options_are_explained),
    };
    RedisServer server;
    int r = redis_server_start(&server, 0, NULL);

    if (r < 0) {
        return redis_server_explain(r);
    }
    redis_server_stop(&server);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
