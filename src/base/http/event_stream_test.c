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

#define BUFFER_MAX ((size_t)64 * 1024)

static _Atomic(HttpStream *) opened; /* what the last request got */

static void gone(void *userdata) {
    server_testing_gone(NULL, userdata);
}

static void events(HttpRequest *request, void *context) {
    HttpHeader headers[] = {{"Cache-Control", "no-store"}, {NULL, NULL}};

    atomic_store(&opened, http_respond_stream(request,
                                              &(HttpResponse){.status = 200,
                                                              .content_type = "text/event-stream",
                                                              .headers = headers},
                                              BUFFER_MAX, gone, context));
}

/* Three events and the end, all before the handler has returned. */
static void brief(HttpRequest *request, void *context) {
    HttpStream *stream =
        http_respond_stream(request, &(HttpResponse){.status = 201, .content_type = "text/plain"},
                            BUFFER_MAX, gone, context);

    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_stream_write(stream, str_lit("event\n")), 0);
    }
    http_stream_end(stream);
}

static const HttpRoute routes[] = {
    {"GET", "/events/here", events, 0},
    {"GET", "/events/blocking", events, 0, .blocks = true},
    {"GET", "/events/brief", brief, 0},
    {"GET", "/events/brief-blocking", brief, 0, .blocks = true},
    {NULL},
};

static ServerFixture *start(void **state, HttpOptions options) {
    atomic_store(&opened, NULL);
    return server_testing_start_with(state, options,
                                     (HttpRouteGroup){.prefix = "/events/", .routes = routes});
}

static HttpStream *take_opened(void) {
    HttpStream *stream;
    uint64_t start_ms = clock_mono_ms();

    while (!(stream = atomic_exchange(&opened, NULL))) {
        assert_true(clock_mono_ms() - start_ms < 10000);
        sched_yield();
    }
    return stream;
}

static HttpStream *open_stream(int fd, const char *path, Buf *reply) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    server_testing_say(fd, text.data);
    server_testing_hear(fd, "\r\n\r\n", reply);
    return take_opened();
}

static void events_come_when_they_are_written(void **state) {
    static const char *const paths[] = {"/events/here", "/events/blocking"};
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (unsigned i = 0; i < ARRAY_LEN(paths); i++) {
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        HttpStream *stream = open_stream(fd, paths[i], &reply);
        server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
        server_testing_says(&reply, "Content-Type: text/event-stream\r\n");
        server_testing_says(&reply, "Cache-Control: no-store\r\n");
        server_testing_says(&reply, "X-Accel-Buffering: no\r\n");
        server_testing_says(&reply, "X-Request-Id: ");
        for (int n = 0; n < 100; n++) {
            char event[50];
            snprintf(event, sizeof(event), "data: %d\n\n", n);
            assert_int_equal(http_stream_write(stream, str_from(event)), 0);
            server_testing_hear(fd, event, &reply);
        }
        assert_int_equal(http_stream_write(stream, str_lit("")), 0);
        assert_int_equal(http_stream_write(stream, str_lit("last")), 0);
        http_stream_end(stream);
        server_testing_hear(fd, NULL, &reply);
        assert_true(str_ends_with(buf_str(&reply), str_lit("\n\nlast")));
        server_testing_wait(fixture, &fixture->finished, i + 1);
        assert_int_equal(fixture->last.status, 200);
        assert_int_equal(fixture->last.bytes_out, 10 * 9 + 90 * 10 + 4);
    }
    assert_int_equal(fixture->gone, 0);
}

static void what_ends_at_once_is_whole(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (int i = 0; i < 100; i++) {
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        server_testing_ask(fixture,
                           i % 2 ? "GET /events/brief HTTP/1.1\r\nHost: x\r\n\r\n"
                                 : "GET /events/brief-blocking HTTP/1.0\r\n\r\n",
                           &reply);
        server_testing_says(&reply, "HTTP/1.1 201 Created\r\n");
        server_testing_says(&reply, "Connection: close\r\n");
        server_testing_says(&reply, "\r\n\r\nevent\nevent\nevent\n");
    }
    assert_int_equal(fixture->gone, 0);
}

static void a_quiet_stream_stays(void **state) {
    ServerFixture *fixture =
        start(state, (HttpOptions){.idle_timeout_s = 1, .receive_timeout_s = 1});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    HttpStream *stream = open_stream(fd, "/events/here", &reply);
    struct timeval quiet = {.tv_sec = 5}, patience = {.tv_sec = 10};
    char byte;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet));
    assert_int_equal(recv(fd, &byte, 1, 0), -1); /* longer than any limit here */
    assert_int_equal(errno, EAGAIN);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(http_stream_write(stream, str_lit("still here")), 0);
    server_testing_hear(fd, "still here", &reply);
    http_stream_end(stream);
    assert_int_equal(fixture->gone, 0);
}

static void who_leaves_is_gone(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});

    for (unsigned i = 0; i < 20; i++) {
        _cleanup_(buf_done) Buf reply = BUF_INIT;
        int fd = server_testing_dial(fixture);
        HttpStream *stream = open_stream(fd, i % 2 ? "/events/here" : "/events/blocking", &reply);
        fd_close(fd);
        server_testing_wait(fixture, &fixture->gone, i + 1);
        assert_int_equal(http_stream_write(stream, str_lit("x")), -EPIPE);
        server_testing_wait(fixture, &fixture->finished, i + 1);
        assert_int_equal(fixture->last.status, 200);
        http_stream_end(stream);
    }
    assert_int_equal(fixture->gone, 20);
}

/* Until nothing more is taken. */
static size_t fill(HttpStream *stream) {
    static const char kilobyte[1024] = {'x'};
    size_t taken = 0;
    int r;

    while ((r = http_stream_write(stream, (Str){kilobyte, sizeof(kilobyte)})) == 0) {
        taken += sizeof(kilobyte);
        assert_true(taken < (size_t)100 << 20);
    }
    assert_int_equal(r, -ENOBUFS);
    return taken;
}

static void who_reads_slowly_gets_all_that_was_taken(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    HttpStream *stream = open_stream(fd, "/events/here", &reply);
    size_t taken = fill(stream), head = reply.len;

    assert_true(taken >= BUFFER_MAX);
    assert_int_equal(http_stream_write(stream, (Str){"", BUFFER_MAX + 1}), -ENOBUFS);
    for (int i = 0; i < 10000; i++) {
        ssize_t n = recv(fd, buf_reserve(&reply, 10000), 10000, 0);
        assert_true(n > 0);
        reply.len += (size_t)n;
        if (http_stream_write(stream, str_lit("yz")) == 0) {
            taken += 2;
        }
        if (i == 500) {
            taken += fill(stream);
            break;
        }
    }
    http_stream_end(stream);
    server_testing_hear(fd, NULL, &reply);
    assert_int_equal(reply.len - head, taken);
    server_testing_wait(fixture, &fixture->finished, 1);
    assert_int_equal(fixture->last.bytes_out, taken);
}

static void who_reads_nothing_is_cut(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){.idle_timeout_s = 1});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture),
                             other = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    HttpStream *stream = open_stream(fd, "/events/here", &reply);

    fill(stream);
    server_testing_wait(fixture, &fixture->gone, 1);
    assert_int_equal(http_stream_write(stream, str_lit("x")), -EPIPE);
    http_stream_end(stream);
    /* Also when its owner has ended it and goes away. */
    buf_done(&reply);
    stream = open_stream(other, "/events/here", &reply);
    fill(stream);
    http_stream_end(stream);
    server_testing_wait(fixture, &fixture->finished, 2);
    assert_int_equal(fixture->gone, 1);
}

static void head_gets_the_head(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_ask(fixture, "HEAD /events/here HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
    server_testing_says(&reply, "Content-Type: text/event-stream\r\n");
    assert_true(str_ends_with(buf_str(&reply), str_lit("\r\n\r\n")));
    server_testing_wait(fixture, &fixture->gone, 1);
    http_stream_end(take_opened());
}

static void *drain(void *server) {
    http_server_drain(server, 20000);
    return NULL;
}

static void draining_ends_streams_at_once(void **state) {
    ServerFixture *fixture = start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int first = server_testing_dial(fixture),
                             second = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    HttpStream *quiet = open_stream(first, "/events/here", &reply), *full;
    uint64_t start_ms = clock_mono_ms();
    pthread_t thread;

    buf_done(&reply);
    full = open_stream(second, "/events/blocking", &reply);
    fill(full);
    assert_int_equal(pthread_create(&thread, NULL, drain, fixture->server), 0);
    buf_done(&reply);
    server_testing_hear(first, NULL, &reply);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ms() - start_ms < 5000);
    assert_int_equal(fixture->gone, 2);
    http_stream_end(quiet);
    http_stream_end(full);
}

static void stopping_ends_streams(void **state) {
    for (int i = 0; i < 40; i++) {
        ServerFixture *fixture = start(state, (HttpOptions){0});
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        HttpStream *stream = NULL;
        server_testing_say(fd, i % 2 ? "GET /events/here HTTP/1.1\r\nHost: x\r\n\r\n"
                                     : "GET /events/blocking HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 4 > 1) {
            stream = take_opened();
        }
        fixture->server = http_server_stop(fixture->server);
        fixture->workers = executor_free(fixture->workers);
        if (stream) {
            assert_int_equal(fixture->gone, 1);
        }
        stream = stream ? stream : atomic_exchange(&opened, NULL);
        if (stream) {
            assert_int_equal(http_stream_write(stream, str_lit("x")), -EPIPE);
        }
        http_stream_end(stream);
        server_testing_stop(state);
    }
}

/* A hub's owner: writes and ends while clients leave; after the end nobody may tell it anything. */
typedef struct Owner {
    ServerFixture *fixture;
    HttpStream *stream;
    _Atomic int alive;
} Owner;

static void owner_gone(void *userdata) {
    Owner *owner = userdata;

    assert_int_equal(atomic_load(&owner->alive), 1);
    server_testing_gone(NULL, owner->fixture);
}

static _Atomic(Owner *) owned;

static void owned_events(HttpRequest *request, void *context) {
    Owner *owner = calloc(1, sizeof(*owner));

    owner->fixture = context;
    atomic_store(&owner->alive, 1);
    owner->stream =
        http_respond_stream(request, &(HttpResponse){.status = 200}, BUFFER_MAX, owner_gone, owner);
    atomic_store(&owned, owner);
}

static const HttpRoute owned_routes[] = {
    {"GET", "/events/owned", owned_events, 0, .blocks = true},
    {NULL},
};

static void ends_and_departures_race(void **state) {
    ServerFixture *fixture = server_testing_start_with(
        state, (HttpOptions){0}, (HttpRouteGroup){.prefix = "/events/", .routes = owned_routes});

    for (unsigned i = 0; i < 300; i++) {
        int fd = server_testing_dial(fixture);
        Owner *owner;
        server_testing_say(fd, "GET /events/owned HTTP/1.1\r\nHost: x\r\n\r\n");
        while (!(owner = atomic_exchange(&owned, NULL))) {
            sched_yield();
        }
        fd_close(fd);
        for (unsigned n = 0; n < i % 50; n++) {
            int r = http_stream_write(owner->stream, str_lit("x"));
            assert_true(r == 0 || r == -EPIPE);
        }
        http_stream_end(owner->stream);
        atomic_store(&owner->alive, 0);
        free(owner);
    }
    server_testing_wait(fixture, &fixture->finished, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(events_come_when_they_are_written, server_testing_stop),
        cmocka_unit_test_teardown(what_ends_at_once_is_whole, server_testing_stop),
        cmocka_unit_test_teardown(a_quiet_stream_stays, server_testing_stop),
        cmocka_unit_test_teardown(who_leaves_is_gone, server_testing_stop),
        cmocka_unit_test_teardown(who_reads_slowly_gets_all_that_was_taken, server_testing_stop),
        cmocka_unit_test_teardown(who_reads_nothing_is_cut, server_testing_stop),
        cmocka_unit_test_teardown(head_gets_the_head, server_testing_stop),
        cmocka_unit_test_teardown(draining_ends_streams_at_once, server_testing_stop),
        cmocka_unit_test(stopping_ends_streams),
        cmocka_unit_test_teardown(ends_and_departures_race, server_testing_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
