/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_testing.h"
#include "base/http/stream.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#define BODY_MAX ((size_t)16 << 20)

/* An upload under way. */
typedef struct Taking {
    ServerFixture *fixture;
    uint64_t len, sum;
    unsigned pieces;
    size_t piece_max;
    Str stay[2]; /* the last two pieces, which have not changed yet */
    uint64_t stay_sums[2];
    atomic_bool inside; /* one of its calls runs */
} Taking;

/* What became of uploads, in the fixture's own counters: `gone` counts those cut. */
static atomic_uint begun, pieces_given;
static _Atomic uint64_t bytes_given;

/* All is tried both ways: through the library, and read past it. */
static bool past;

static uint64_t add_up(uint64_t sum, Str bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        sum = sum * 31 + (unsigned char)bytes.ptr[i];
    }
    return sum;
}

static void answer(HttpRequest *request, unsigned status, const char *text) {
    http_respond(request, &(HttpResponse){.status = status, .body = str_from(text)});
}

static void wait_until_open(ServerFixture *fixture) {
    pthread_mutex_lock(&fixture->lock);
    fixture->blocking++;
    pthread_cond_broadcast(&fixture->changed);
    while (!fixture->open) {
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    }
    pthread_mutex_unlock(&fixture->lock);
}

/* ?forbidden is refused by its head, ?hold waits in its first piece. */
static void *take_begin(HttpRequest *request, void *context) {
    Taking *taking;
    uint64_t len;

    atomic_fetch_add(&begun, 1);
    if (http_request_query(request, "forbidden")) {
        answer(request, 403, "not you");
        return NULL;
    }
    taking = calloc(1, sizeof(*taking));
    taking->fixture = context;
    assert_int_equal(http_request_body_len(request, &len),
                     http_request_header(request, "Content-Length") != NULL);
    return taking;
}

static void expect_unchanged(const Taking *taking) {
    for (size_t i = 0; i < ARRAY_LEN(taking->stay); i++) {
        assert_int_equal(add_up(0, taking->stay[i]), taking->stay_sums[i]);
    }
}

static bool take_piece(HttpRequest *request, void *state, Str bytes) {
    Taking *taking = state;
    const char *limit = http_request_query(request, "limit");

    assert_false(atomic_exchange(&taking->inside, true));
    assert_true(bytes.len > 0 && bytes.len <= HTTP_BODY_PIECE_MAX);
    if (http_request_query(request, "hold")) {
        wait_until_open(taking->fixture);
    }
    taking->len += bytes.len;
    taking->sum = add_up(taking->sum, bytes);
    expect_unchanged(taking);
    taking->stay[taking->pieces % 2] = bytes;
    taking->stay_sums[taking->pieces % 2] = add_up(0, bytes);
    taking->pieces++;
    taking->piece_max = MAX(taking->piece_max, bytes.len);
    atomic_fetch_add(&pieces_given, 1);
    atomic_fetch_add(&bytes_given, bytes.len);
    if (limit && taking->len >= strtoull(limit, NULL, 10)) {
        free(taking);
        answer(request, 409, "that is enough");
        return false;
    }
    atomic_store(&taking->inside, false);
    return true;
}

static void take_end(HttpRequest *request, void *state, HttpBodyEnd end) {
    Taking *taking = state;

    assert_false(atomic_exchange(&taking->inside, true));
    if (end == HTTP_BODY_CUT) {
        server_testing_gone(request, taking->fixture);
    }
    answer(request, 200,
           arena_printf(http_request_arena(request), "%s took %llu sum %llx.",
                        end == HTTP_BODY_WHOLE ? "all" : "some", (unsigned long long)taking->len,
                        (unsigned long long)taking->sum));
    free(taking);
}

static const HttpBodyStream take = {take_begin, take_piece, take_end};
static const HttpRoute routes[] = {
    {"POST", "/take/all", .body_max = BODY_MAX, .body = &take},
    {"POST", "/take/little", .body_max = 100000, .body = &take},
    {NULL},
};

static ServerFixture *start(void **state, HttpOptions options) {
    atomic_store(&begun, 0);
    atomic_store(&pieces_given, 0);
    atomic_store(&bytes_given, 0);
    options.body_long_min = past ? 1 : BODY_MAX + 1;
    return server_testing_start_with(state, options, (HttpRouteGroup){"/take/", routes, NULL});
}

static void make_body(size_t len, Buf *body) {
    for (unsigned n = 0; body->len < len; n++) {
        buf_addf(body, "%07u\n", n);
    }
    body->len = len;
    body->data[len] = '\0';
}

static void expect_taken(const Buf *reply, Str body) {
    char text[100];

    snprintf(text, sizeof(text), "all took %zu sum %llx.", body.len,
             (unsigned long long)add_up(0, body));
    server_testing_says(reply, text);
}

/* Waits, for what no reply tells. */
static void until(const atomic_uint *counter, unsigned least) {
    for (uint64_t start_ms = clock_mono_ms(); atomic_load(counter) < least;) {
        assert_true(clock_mono_ms() - start_ms < 10000);
        sched_yield();
    }
}

static void takes_bodies_of_any_size(void **state) {
    static const size_t sizes[] = {1, 3, 20000, 131072, 131073, 262144, 5000000, BODY_MAX};
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(buf_done) Buf body = BUF_INIT, head = BUF_INIT, reply = BUF_INIT;
        make_body(sizes[i], &body);
        buf_addf(&head, "POST /take/all HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 body.len);
        server_testing_say(fd, head.data);
        server_testing_say(fd, body.data);
        server_testing_hear(fd, past && sizes[i] > 100000 ? NULL : "sum", &reply);
        server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
        expect_taken(&reply, buf_str(&body));
        server_testing_wait(fixture, &fixture->finished, (unsigned)i + 1);
        assert_int_equal(fixture->last.bytes_in, sizes[i]);
        assert_int_equal(fixture->last.status, 200);
        if (past) { /* unless its body came together with its head, the connection has ended */
            fd_close(fd);
            fd = server_testing_dial(fixture);
        }
    }
    assert_int_equal(fixture->gone, 0);
}

static void no_body_is_a_whole_one(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "POST /take/all HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                           "POST /take/all HTTP/1.1\r\nHost: x\r\n\r\n"
                           "POST /take/all?forbidden HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "all took 0 sum 0.HTTP/1.1 200 OK\r\n");
    server_testing_says(&reply, "HTTP/1.1 403 Forbidden\r\n");
    server_testing_says(&reply, "hello you");
    assert_int_equal(atomic_load(&pieces_given), 0);
}

static void chunks_and_what_follows_them(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT, body = BUF_INIT, chunked = BUF_INIT;

    make_body(700000, &body);
    buf_addf(&chunked, "POST /take/all HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, n = 1; at < body.len; at += n, n = n * 3 % 90001) {
        n = MIN(n, body.len - at);
        buf_addf(&chunked, "%zx\r\n", n);
        buf_add(&chunked, body.data + at, n);
        buf_addf(&chunked, "\r\n");
    }
    buf_addf(&chunked, "0\r\nTrailer: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n"
                       "Connection: close\r\n\r\n");
    server_testing_say(fd, chunked.data);
    server_testing_hear(fd, NULL, &reply);
    expect_taken(&reply, buf_str(&body));
    server_testing_says(&reply, "hello you");
}

static void one_byte_at_a_time(void **state) {
    static const char text[] = "POST /take/all HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n"
                               "Connection: close\r\n\r\n";
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT, all = BUF_INIT;
    Str body;

    buf_addf(&all, "%s%0300d", text, 7);
    body = (Str){all.data + sizeof(text) - 1, 300};
    for (size_t i = 0; i < all.len; i++) {
        char byte[] = {all.data[i], '\0'};
        server_testing_say(fd, byte);
    }
    server_testing_hear(fd, NULL, &reply);
    expect_taken(&reply, body);
}

static void http_1_0_is_served(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_ask(
        fixture, "POST /take/all HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        &reply);
    expect_taken(&reply, str_lit("abc"));
    assert_null(strstr(reply.data, "100 Continue"));
}

static void asks_before_it_says_go_on(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "POST /take/all HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                           "Content-Length: 5\r\n\r\n");
    server_testing_hear(fd, "\r\n\r\n", &reply);
    assert_string_equal(reply.data, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(atomic_load(&begun), 1);
    server_testing_say(fd, "12345");
    server_testing_hear(fd, "sum", &reply);
    expect_taken(&reply, str_lit("12345"));
    buf_done(&reply);
    server_testing_ask(fixture,
                       "POST /take/all?forbidden HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                       "Content-Length: 5\r\n\r\n",
                       &reply);
    assert_int_equal(strncmp(reply.data, "HTTP/1.1 403", 12), 0);
    server_testing_says(&reply, "Connection: close\r\n");
    buf_done(&reply);
    server_testing_ask(fixture,
                       "POST /take/little HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                       "Content-Length: 100001\r\n\r\n",
                       &reply);
    assert_int_equal(strncmp(reply.data, "HTTP/1.1 413", 12), 0);
    assert_int_equal(atomic_load(&begun), 2);
}

/* Sends on and on, and only then reads: the answer must not be lost. */
static void say_much(int fd, bool chunked) {
    char chunk[4096 + 8];

    memset(chunk, 'a', sizeof(chunk));
    if (chunked) {
        memcpy(chunk, "1000\r\n", 6);
        memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
    }
    for (int i = 0; i < 1000; i++) {
        if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0) {
            fail_msg("the server cut the line: %s", strerror(errno));
        }
    }
}

static void a_refusal_amid_the_body_is_heard(void **state) {
    static const struct {
        const char *head, *reply;
        bool chunked;
    } cases[] = {
        {"POST /take/all?forbidden HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n",
         "HTTP/1.1 403", false},
        {"POST /take/all?limit=300000 HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n",
         "HTTP/1.1 409", false},
        {"POST /take/all?limit=300000 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
         "HTTP/1.1 409", true},
        {"POST /take/little HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
         "HTTP/1.1 413", true},
        {"POST /take/little HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n", "HTTP/1.1 413",
         false},
    };
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        server_testing_say(fd, cases[i].head);
        say_much(fd, cases[i].chunked);
        server_testing_hear(fd, NULL, &reply);
        assert_int_equal(strncmp(reply.data, cases[i].reply, strlen(cases[i].reply)), 0);
        server_testing_says(&reply, "Connection: close\r\n");
        server_testing_wait(fixture, &fixture->finished, (unsigned)i + 1);
        assert_int_equal(fixture->last.status, strtoul(cases[i].reply + 9, NULL, 10));
    }
    server_testing_wait(fixture, &fixture->gone, 1); /* the one that was too long by its count */
}

static void a_refusal_is_heard_by_who_waits(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "POST /take/all?limit=5 HTTP/1.1\r\nHost: x\r\n"
                           "Content-Length: 5000000\r\n\r\n12345");
    server_testing_hear(fd, "enough", &reply);
    server_testing_says(&reply, "HTTP/1.1 409 Conflict\r\n");
    server_testing_hear(fd, NULL, &reply); /* it does not wait for the rest for ever */
}

static void what_came_before_a_cut_is_given(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (unsigned i = 0; i < 20; i++) {
        int fd = server_testing_dial(fixture);
        atomic_store(&bytes_given, 0);
        server_testing_say(fd, "POST /take/all HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
        server_testing_say(fd, "12345");
        fd_close(fd);
        server_testing_wait(fixture, &fixture->gone, i + 1);
        server_testing_wait(fixture, &fixture->finished, i + 1);
        assert_int_equal(fixture->last.status, 499);
        assert_int_equal(atomic_load(&bytes_given), 5);
    }
}

/* The limit is on silence: an upload may take long. */
static void only_silence_is_too_slow(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){.receive_timeout_s = 1});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    struct timeval pause = {.tv_usec = 100000}, patience = {.tv_sec = 10};
    uint64_t start_ms = clock_mono_ms();
    char byte;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    server_testing_say(fd, "POST /take/all HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    while (clock_mono_ms() - start_ms < 2500) {
        server_testing_say(fd, "x");
        assert_int_equal(recv(fd, &byte, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 408 Request Timeout\r\n");
    server_testing_wait(fixture, &fixture->finished, 1);
    assert_int_equal(fixture->last.status, 408);
    server_testing_wait(fixture, &fixture->gone, 1);
}

/* Our own slowness is not the client's, and what it sends meanwhile stays with it. */
static void a_slow_route_holds_the_client_back(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){.receive_timeout_s = 1});
    _cleanup_(fd_closep) int fd = -1;
    _cleanup_(buf_done) Buf reply = BUF_INIT, body = BUF_INIT;
    struct timeval pause = {.tv_usec = 200000};
    uint64_t start_ms;
    ssize_t n, sent = 0;

    make_body(BODY_MAX, &body);
    fd = server_testing_dial(fixture);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &pause, sizeof(pause));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int));
    buf_addf(&reply, "POST /take/all?hold HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             body.len);
    server_testing_say(fd, reply.data);
    start_ms = clock_mono_ms();
    while (clock_mono_ms() - start_ms < 2000) {
        n = send(fd, body.data + sent, body.len - (size_t)sent, MSG_NOSIGNAL);
        assert_true(n >= 0 || errno == EAGAIN);
        sent += MAX(n, 0);
    }
    assert_in_range(sent, 1, BODY_MAX - 1);
    server_testing_open(fixture);
    while ((size_t)sent < body.len) {
        n = send(fd, body.data + sent, body.len - (size_t)sent, MSG_NOSIGNAL);
        assert_true(n >= 0 || errno == EAGAIN);
        sent += MAX(n, 0);
    }
    buf_done(&reply);
    server_testing_hear(fd, "sum", &reply);
    expect_taken(&reply, buf_str(&body));
}

static void bodies_book_no_more_than_a_piece(void **state) {
    ServerFixture *fixture =
        start(state, (HttpOptions){.body_memory_max = 1000 + (past ? HTTP_BODY_HELD_LONG_MAX
                                                                   : HTTP_BODY_HELD_MAX)});
    _cleanup_(fd_closep) int first = server_testing_dial(fixture),
                             second = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(first, "POST /take/all HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                              "Content-Length: 5000000\r\n\r\n");
    server_testing_hear(first, "\r\n\r\n", &reply);
    buf_done(&reply);
    server_testing_say(second, "POST /take/all HTTP/1.1\r\nHost: x\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n");
    server_testing_hear(second, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 503 Service Unavailable\r\n");
    first = fd_close(first);
    server_testing_wait(fixture, &fixture->finished, 2);
    buf_done(&reply);
    server_testing_ask(fixture,
                       "POST /take/all HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                       "Connection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                       &reply);
    expect_taken(&reply, str_lit("abc"));
}

static void *drain(void *server) {
    http_server_drain(server, 10000);
    return NULL;
}

static void draining_lets_bodies_finish(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    pthread_t thread;
    int late;

    server_testing_say(fd, "POST /take/all HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234");
    until(&pieces_given, 1);
    assert_int_equal(pthread_create(&thread, NULL, drain, fixture->server), 0);
    do { /* the listener closes a moment later */
        late = server_testing_dial(fixture);
        fd_close(late);
    } while (late >= 0);
    server_testing_say(fd, "56789");
    server_testing_hear(fd, NULL, &reply);
    expect_taken(&reply, str_lit("123456789"));
    server_testing_says(&reply, "Connection: close\r\n");
    pthread_join(thread, NULL);
}

/* Whether the stop finds the body begun, in a piece, waiting for one, or whole. */
static void stopping_at_any_moment_ends_every_body(void **state) {
    for (int i = 0; i < 40; i++) {
        ServerFixture *fixture = start(state, (HttpOptions){0});
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        unsigned n_begun;
        server_testing_say(fd, i % 2 ? "POST /take/all HTTP/1.1\r\nHost: x\r\n"
                                       "Content-Length: 300000\r\n\r\n12345"
                                     : "POST /take/all?hold HTTP/1.1\r\nHost: x\r\n"
                                       "Content-Length: 300000\r\n\r\n12345");
        if (i % 4 > 1) {
            until(&begun, 1);
        }
        if (i % 4 == 2) {
            server_testing_wait(fixture, &fixture->blocking, 1);
        }
        fixture->server = http_server_stop(fixture->server);
        server_testing_open(fixture);
        fixture->workers = executor_free(fixture->workers);
        n_begun = atomic_load(&begun);
        assert_int_equal(fixture->gone, n_begun);
        server_testing_stop(state);
    }
}

/* Many more at once than its queue takes. */
static void a_full_executor_loses_nothing(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(buf_done) Buf body = BUF_INIT;
    int fds[40];

    make_body(600000, &body);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = server_testing_dial(fixture);
        server_testing_say(fds[i], "POST /take/all HTTP/1.1\r\nHost: x\r\n"
                                   "Content-Length: 600000\r\n\r\n");
        until(&begun, (unsigned)i + 1);
    }
    for (size_t at = 0; at < body.len; at += 60000) {
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            assert_int_equal(send(fds[i], body.data + at, 60000, MSG_NOSIGNAL), 60000);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        server_testing_hear(fds[i], "sum", &reply);
        expect_taken(&reply, buf_str(&body));
        fd_close(fds[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(takes_bodies_of_any_size, server_testing_stop),
        cmocka_unit_test_teardown(no_body_is_a_whole_one, server_testing_stop),
        cmocka_unit_test_teardown(chunks_and_what_follows_them, server_testing_stop),
        cmocka_unit_test_teardown(one_byte_at_a_time, server_testing_stop),
        cmocka_unit_test_teardown(http_1_0_is_served, server_testing_stop),
        cmocka_unit_test_teardown(asks_before_it_says_go_on, server_testing_stop),
        cmocka_unit_test_teardown(a_refusal_amid_the_body_is_heard, server_testing_stop),
        cmocka_unit_test_teardown(a_refusal_is_heard_by_who_waits, server_testing_stop),
        cmocka_unit_test_teardown(what_came_before_a_cut_is_given, server_testing_stop),
        cmocka_unit_test_teardown(only_silence_is_too_slow, server_testing_stop),
        cmocka_unit_test_teardown(a_slow_route_holds_the_client_back, server_testing_stop),
        cmocka_unit_test_teardown(bodies_book_no_more_than_a_piece, server_testing_stop),
        cmocka_unit_test_teardown(draining_lets_bodies_finish, server_testing_stop),
        cmocka_unit_test(stopping_at_any_moment_ends_every_body),
        cmocka_unit_test_teardown(a_full_executor_loses_nothing, server_testing_stop),
    };
    int failed = cmocka_run_group_tests_name("through the library", tests, NULL, NULL);

    past = true;
    return failed + cmocka_run_group_tests_name("past the library", tests, NULL, NULL);
}
