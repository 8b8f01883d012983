/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_testing.h"
#include "base/http/stream.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

/* Bytes that are made up: their position tells what they are. */
typedef struct Made {
    ServerFixture *fixture;
    uint64_t len, broken_at;
    size_t step;
    bool hold;
    uint64_t expected;
} Made;

static atomic_uint reads;

static char byte_at(uint64_t position) {
    return (char)('a' + (position * 7 + position / 1000) % 26);
}

static int make(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n) {
    Made *made = state;
    size_t n = (size_t)MIN((uint64_t)MIN(max, made->step), made->len - offset);

    assert_true(max >= 1 && max <= HTTP_BODY_PIECE_MAX);
    assert_int_equal(offset, made->expected);
    atomic_fetch_add(&reads, 1);
    if (made->hold) {
        pthread_mutex_lock(&made->fixture->lock);
        made->fixture->blocking++;
        pthread_cond_broadcast(&made->fixture->changed);
        while (!made->fixture->open) {
            pthread_cond_wait(&made->fixture->changed, &made->fixture->lock);
        }
        pthread_mutex_unlock(&made->fixture->lock);
    }
    if (offset + n > made->broken_at) {
        return -EIO;
    }
    for (size_t i = 0; i < n; i++) {
        ((char *)bytes)[i] = byte_at(offset + i);
    }
    made->expected += n;
    *ret_n = n;
    return 0;
}

static void done(void *state) {
    Made *made = state;

    server_testing_gone(NULL, made->fixture);
    free(made);
}

static uint64_t number(HttpRequest *request, const char *name, uint64_t otherwise) {
    const char *text = http_request_query(request, name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ?len ?told (what is announced; 0: nothing) ?step (a read's bytes) ?broken (where it fails) ?hold
 */
static void made_up(HttpRequest *request, void *context) {
    Made *made = calloc(1, sizeof(*made));
    uint64_t told;

    made->fixture = context;
    made->len = number(request, "len", 0);
    made->step = number(request, "step", SIZE_MAX);
    made->broken_at = number(request, "broken", UINT64_MAX);
    made->hold = http_request_query(request, "hold");
    told = number(request, "told", made->len);
    http_respond_reader(request, &(HttpResponse){.status = 200, .content_type = "text/plain"},
                        http_request_query(request, "told") && told == 0 ? HTTP_LEN_UNKNOWN : told,
                        &(HttpReader){make, done, made, made->fixture->workers});
}

static void range(HttpRequest *request, void *context) {
    uint64_t offset = 0, len = 0;
    int r = http_request_range(request, number(request, "size", 0), "\"tag\"", &offset, &len);
    char *text = arena_printf(http_request_arena(request), "<%d %llu %llu>", r,
                              (unsigned long long)offset, (unsigned long long)len);
    (void)context;
    http_respond(request, &(HttpResponse){.status = 200, .body = str_from(text)});
}

static const HttpRoute routes[] = {
    {"GET", "/made/up", made_up, 0},
    {"GET", "/made/blocking", made_up, 0, .blocks = true},
    {"GET", "/made/range", range, 0},
    {NULL},
};

static ServerFixture *start(void **state, HttpOptions options) {
    atomic_store(&reads, 0);
    return server_testing_start_with(state, options,
                                     (HttpRouteGroup){.prefix = "/made/", .routes = routes});
}

static void ask(int fd, const char *more, unsigned long long len, unsigned long long step) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text, "GET /made/%slen=%llu&step=%llu HTTP/1.1\r\nHost: x\r\n\r\n", more, len, step);
    server_testing_say(fd, text.data);
}

static void hear_bytes(int fd, Buf *reply, size_t len) {
    while (reply->len < len) {
        ssize_t n = recv(fd, buf_reserve(reply, 1 << 20), 1 << 20, 0);
        assert_true(n > 0);
        reply->len += (size_t)n;
        buf_add(reply, "", 0);
    }
}

static void expect_bytes(const char *bytes, size_t len, uint64_t from) {
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != byte_at(from + i)) {
            fail_msg("wrong from byte %zu of %zu on", i, len);
        }
    }
}

static size_t head_len(const Buf *reply) {
    const char *end = strstr(buf_cstr(reply), "\r\n\r\n");

    assert_non_null(end);
    return (size_t)(end + 4 - reply->data);
}

static void known_lengths_keep_the_connection(void **state) {
    static const struct {
        unsigned len, step;
    } cases[] = {{0, 1},         {1, 1},           {1000, 1},       {65536, 65536},
                 {65537, 99999}, {131072, 131072}, {262145, 70000}, {20000000, 999999}};
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);

    for (unsigned i = 0; i < ARRAY_LEN(cases) * 2; i++) {
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        unsigned len = cases[i / 2].len;
        ask(fd, i % 2 ? "blocking?" : "up?", len, cases[i / 2].step);
        server_testing_hear(fd, "\r\n\r\n", &reply);
        server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
        hear_bytes(fd, &reply, head_len(&reply) + len);
        assert_int_equal(reply.len, head_len(&reply) + len);
        expect_bytes(reply.data + head_len(&reply), len, 0);
        server_testing_wait(fixture, &fixture->finished, i + 1);
        server_testing_wait(fixture, &fixture->gone, i + 1);
        assert_int_equal(fixture->last.status, 200);
        assert_int_equal(fixture->last.bytes_out, len);
    }
}

/* Puts the chunks of a body together; fails when they do not end. */
static void unchunk(const Buf *reply, Buf *body) {
    const char *at = reply->data + head_len(reply);

    for (;;) {
        char *end;
        size_t len = strtoull(at, &end, 16);
        assert_int_equal(strncmp(end, "\r\n", 2), 0);
        buf_add(body, end + 2, len);
        at = end + 2 + len;
        assert_int_equal(strncmp(at, "\r\n", 2), 0);
        at += 2;
        if (len == 0) {
            return;
        }
    }
}

static void unknown_lengths_are_chunked(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    for (unsigned len = 1000000; len > 0; len /= 100) {
        _cleanup_(buf_done) Buf body = BUF_INIT;
        buf_done(&reply);
        ask(fd, "up?told=0&", len, 77777);
        server_testing_hear(fd, "\r\n0\r\n\r\n", &reply);
        server_testing_says(&reply, "Transfer-Encoding: chunked\r\n");
        unchunk(&reply, &body);
        assert_int_equal(body.len, len);
        expect_bytes(body.data, len, 0);
    }
    server_testing_wait(fixture, &fixture->finished, 4);
    server_testing_wait(fixture, &fixture->gone, 4);
    buf_done(&reply);
    server_testing_ask(fixture, "GET /made/up?len=5&told=0 HTTP/1.0\r\n\r\n", &reply);
    assert_null(strstr(reply.data, "chunked"));
    assert_int_equal(reply.len, head_len(&reply) + 5);
    expect_bytes(reply.data + head_len(&reply), 5, 0);
}

static void head_reads_nothing(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "HEAD /made/up?len=12345 HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "Content-Length: 12345\r\n");
    server_testing_says(&reply, "\r\n\r\nHTTP/1.1 200 OK\r\n");
    server_testing_says(&reply, "hello you");
    assert_int_equal(atomic_load(&reads), 0);
    server_testing_wait(fixture, &fixture->gone, 1);
}

static void what_cannot_be_read_cuts_the_connection(void **state) {
    static const char *const addresses[] = {"up?broken=200000&", "up?told=0&broken=200000&",
                                            "up?told=400000&" /* ends too early */};
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (unsigned i = 0; i < ARRAY_LEN(addresses); i++) {
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        ask(fd, addresses[i], i == 2 ? 200000 : 400000, 10000);
        server_testing_hear(fd, NULL, &reply);
        server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
        assert_null(strstr(reply.data, "\r\n0\r\n"));
        assert_true(reply.len < 300000);
        server_testing_wait(fixture, &fixture->finished, i + 1);
        server_testing_wait(fixture, &fixture->gone, i + 1);
        assert_int_equal(fixture->last.status, 500);
        assert_int_equal(fixture->last.bytes_out, 200000);
    }
}

static void a_client_that_leaves_ends_the_reading(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (unsigned i = 0; i < 20; i++) {
        int fd = server_testing_dial(fixture);
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        ask(fd, "up?", 1ULL << 40, i % 2 ? 1000 : 1 << 20);
        server_testing_hear(fd, "\r\n\r\n", &reply);
        fd_close(fd);
        server_testing_wait(fixture, &fixture->finished, i + 1);
        server_testing_wait(fixture, &fixture->gone, i + 1);
        assert_int_equal(fixture->last.status, 499);
    }
}

/* It holds no thread, and is cut when it has read nothing for the idle time-out. */
static void a_client_that_stops_reading_is_cut(void **state) {
    ServerFixture *fixture =
        start(state, (HttpOptions){.idle_timeout_s = 1, .receive_timeout_s = 1});
    _cleanup_(fd_closep) int fd = -1;
    int fds[8];
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = server_testing_dial(fixture);
        ask(fds[i], "up?", 1ULL << 40, 1 << 20);
    }
    fd = server_testing_dial(fixture);
    ask(fd, "up?", 100, 10);
    server_testing_hear(fd, "\r\n\r\n", &reply);
    hear_bytes(fd, &reply, head_len(&reply) + 100);
    server_testing_wait(fixture, &fixture->finished, 1 + ARRAY_LEN(fds));
    server_testing_wait(fixture, &fixture->gone, 1 + ARRAY_LEN(fds));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fd_close(fds[i]);
    }
}

static void *drain(void *server) {
    http_server_drain(server, 10000);
    return NULL;
}

static void draining_lets_it_finish(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    pthread_t thread;
    int late;

    ask(fd, "up?hold&", 100000, 1000);
    server_testing_wait(fixture, &fixture->blocking, 1);
    assert_int_equal(pthread_create(&thread, NULL, drain, fixture->server), 0);
    do { /* the listener closes a moment later */
        late = server_testing_dial(fixture);
        fd_close(late);
    } while (late >= 0);
    server_testing_open(fixture);
    server_testing_hear(fd, "\r\n\r\n", &reply);
    hear_bytes(fd, &reply, head_len(&reply) + 100000);
    expect_bytes(reply.data + head_len(&reply), 100000, 0);
    pthread_join(thread, NULL);
}

static void stopping_at_any_moment_is_done_once(void **state) {
    for (int i = 0; i < 40; i++) {
        ServerFixture *fixture = start(state, (HttpOptions){0});
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        ask(fd, i % 2 ? "up?" : "blocking?hold&", 1ULL << 40, 1 << 20);
        if (i % 4 == 1) {
            _cleanup_(buf_done) Buf reply = BUF_INIT;
            server_testing_hear(fd, "\r\n\r\n", &reply);
        } else if (i % 4 == 2) {
            server_testing_wait(fixture, &fixture->blocking, 1);
        }
        fixture->server = http_server_stop(fixture->server);
        server_testing_open(fixture);
        fixture->workers = executor_free(fixture->workers);
        if (i % 4 == 1 || i % 4 == 2) {
            assert_int_equal(fixture->gone, 1);
        }
        server_testing_stop(state);
    }
}

static void ranges_are_understood(void **state) {
    static const struct {
        const char *headers, *reply;
        unsigned size;
    } cases[] = {
        {"", "<1 ", 100},
        {"Range: bytes=0-0\r\n", "<0 0 1>", 100},
        {"Range: bytes=0-99\r\n", "<0 0 100>", 100},
        {"Range: BYTES=10-\r\n", "<0 10 90>", 100},
        {"Range: bytes=99-1000\r\n", "<0 99 1>", 100},
        {"Range: bytes=5-99999999999999999999999\r\n", "<0 5 95>", 100},
        {"Range: bytes=-1\r\n", "<0 99 1>", 100},
        {"Range: bytes=-100\r\n", "<0 0 100>", 100},
        {"Range: bytes=-99999999999999999999999\r\n", "<0 0 100>", 100},
        {"Range: bytes=100-\r\n", "<2 ", 100},
        {"Range: bytes=99999999999999999999999-\r\n", "<2 ", 100},
        {"Range: bytes=-0\r\n", "<2 ", 100},
        {"Range: bytes=0-\r\n", "<2 ", 0},
        {"Range: bytes=-5\r\n", "<1 ", 0},
        {"Range: bytes=5-4\r\n", "<1 ", 100},
        {"Range: bytes=-\r\n", "<1 ", 100},
        {"Range: bytes=5\r\n", "<1 ", 100},
        {"Range: bytes=\r\n", "<1 ", 100},
        {"Range: bytes\r\n", "<1 ", 100},
        {"Range: bytes=0-1,5-6\r\n", "<1 ", 100},
        {"Range: bytes=a-b\r\n", "<1 ", 100},
        {"Range: bytes=--5\r\n", "<1 ", 100},
        {"Range: bytes=+1-5\r\n", "<1 ", 100},
        {"Range: bytes=1 - 5\r\n", "<1 ", 100},
        {"Range: lines=1-5\r\n", "<1 ", 100},
        {"Range: bytes=1-5\r\nIf-Range: \"tag\"\r\n", "<0 1 5>", 100},
        {"Range: bytes=1-5\r\nIf-Range: \"other\"\r\n", "<1 ", 100},
        {"Range: bytes=1-5\r\nIf-Range: W/\"tag\"\r\n", "<1 ", 100},
        {"Range: bytes=1-5\r\nIf-Range: Sat, 29 Oct 1994 19:43:31 GMT\r\n", "<1 ", 100},
    };
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_done) Buf reply = BUF_INIT, text = BUF_INIT;
        buf_addf(&text, "GET /made/range?size=%u HTTP/1.1\r\nHost: x\r\n%s\r\n", cases[i].size,
                 cases[i].headers);
        server_testing_say(fd, text.data);
        server_testing_hear(fd, ">", &reply);
        if (!strstr(reply.data, cases[i].reply)) {
            fail_msg("%s gave %s", cases[i].headers, strstr(reply.data, "<"));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(known_lengths_keep_the_connection, server_testing_stop),
        cmocka_unit_test_teardown(unknown_lengths_are_chunked, server_testing_stop),
        cmocka_unit_test_teardown(head_reads_nothing, server_testing_stop),
        cmocka_unit_test_teardown(what_cannot_be_read_cuts_the_connection, server_testing_stop),
        cmocka_unit_test_teardown(a_client_that_leaves_ends_the_reading, server_testing_stop),
        cmocka_unit_test_teardown(a_client_that_stops_reading_is_cut, server_testing_stop),
        cmocka_unit_test_teardown(draining_lets_it_finish, server_testing_stop),
        cmocka_unit_test(stopping_at_any_moment_is_done_once),
        cmocka_unit_test_teardown(ranges_are_understood, server_testing_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
