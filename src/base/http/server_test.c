/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_testing.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static void answers_routes_and_keeps_the_connection(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "GET /hello?name=J%C3%B6rg+X HTTP/1.1\r\nHost: x\r\nX-More: a\r\n"
                           "X-Request-Id: my-id.1\r\n\r\n");
    server_testing_hear(fd, "GET", &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
    server_testing_says(&reply, "X-Request-Id: my-id.1\r\n");
    server_testing_says(&reply, "X-Test: 1\r\n");
    server_testing_says(&reply, "Content-Type: text/plain\r\n");
    server_testing_says(&reply, "hello J\xc3\xb6rg X a from 127.0.0.1 GET");
    assert_null(strstr(reply.data, "Server:"));
    /* Two at once on the same connection, the first without a body: answered in order. */
    buf_done(&reply);
    server_testing_say(
        fd,
        "HEAD /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: bad id\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345");
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "Content-Length: 31\r\n");
    assert_null(strstr(reply.data, "bad id"));
    assert_null(strstr(reply.data, "hello"));
    assert_true(str_ends_with(buf_str(&reply), str_lit("\r\n\r\n12345")));
}

static void big_bodies_go_both_ways(void **state) {
    static const char *const methods[] = {"POST", "PUT"};
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        _cleanup_(buf_done) Buf body = BUF_INIT, head = BUF_INIT, reply = BUF_INIT;
        for (unsigned n = 0; body.len < SERVER_TESTING_BODY_MAX; n++) {
            buf_addf(&body, "%07u\n", n);
        }
        buf_addf(&head,
                 "%s /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n",
                 methods[i], body.len);
        server_testing_say(fd, head.data);
        server_testing_say(fd, body.data);
        server_testing_hear(fd, NULL, &reply);
        server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
        assert_true(str_ends_with(buf_str(&reply), buf_str(&body)));
    }
    server_testing_wait(fixture, &fixture->finished, 2);
    assert_int_equal(fixture->last.bytes_in, SERVER_TESTING_BODY_MAX);
    assert_int_equal(fixture->last.bytes_out, SERVER_TESTING_BODY_MAX);
}

static void chunked_bodies_and_expectations(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                           "Expect: 100-continue\r\nConnection: close\r\n\r\n");
    server_testing_hear(fd, "\r\n\r\n", &reply);
    assert_string_equal(reply.data, "HTTP/1.1 100 Continue\r\n\r\n");
    server_testing_say(fd, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    server_testing_hear(fd, NULL, &reply);
    assert_true(str_ends_with(buf_str(&reply), str_lit("\r\n\r\nabcde")));
}

static void refuses_in_the_words_of_the_group(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_ask(fixture, "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_says(&reply, "HTTP/1.1 404 Not Found\r\n");
    server_testing_says(&reply, "Content-Type: application/problem+json\r\n");
    server_testing_says(&reply, "\"status\":404");
    server_testing_ask(fixture, "DELETE /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_says(&reply, "HTTP/1.1 405 Method Not Allowed\r\n");
    server_testing_says(&reply, "Allow: POST, PUT\r\n");
    server_testing_ask(fixture, "POST /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_says(&reply, "Allow: GET, HEAD\r\n");
    server_testing_ask(fixture, "GET /v1/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_says(&reply, "HTTP/1.1 404 Not Found\r\n");
    server_testing_says(&reply, "refused: Not found.");
    server_testing_ask(fixture, "GET /v1/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_says(&reply, "HTTP/1.1 405 Method Not Allowed\r\n");
    server_testing_says(&reply, "Content-Type: text/x-refusal\r\n");
    server_testing_ask(fixture, "nonsense\r\n\r\n", &reply);
    assert_null(strstr(reply.data, " 200 "));
}

static void a_client_may_close_its_side_early(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
}

/* Long before its time limit: its room for a body is wanted by others. */
static void an_abandoned_upload_is_noticed(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});

    for (unsigned i = 0; i < 5; i++) {
        int fd = server_testing_dial(fixture);
        server_testing_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12345");
        fd_close(fd);
        server_testing_wait(fixture, &fixture->finished, i + 1);
        assert_int_equal(fixture->last.status, 499);
    }
}

static void a_not_found_keeps_the_connection(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd,
                       "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n"
                       "Connection: close\r\n\r\n");
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 404 Not Found\r\n");
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
}

static void ambiguous_lengths_are_refused(void **state) {
    static const char *const headers[] = {
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 30",
    };
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        _cleanup_(buf_done) Buf request = BUF_INIT, reply = BUF_INIT;
        buf_addf(&request,
                 "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n0\r\n\r\n"
                 "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
                 headers[i]);
        server_testing_ask(fixture, request.data, &reply);
        assert_int_equal(strncmp(reply.data, "HTTP/1.1 400", 12), 0);
        assert_null(strstr(reply.data, "hello")); /* the connection ended there */
    }
}

/* The client goes on sending until all is sent, and only then reads. */
static void too_long_by_length_is_answered(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    char chunk[4096] = {0};

    server_testing_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n");
    for (int i = 0; i < 8388608 / 4096; i++) {
        if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0) {
            fail_msg("the server cut the line: %s", strerror(errno));
        }
    }
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 413 Content Too Large\r\n");
    server_testing_says(&reply, "Connection: close\r\n");
    server_testing_says(&reply, "at most 262144 bytes");
    buf_done(&reply);
    server_testing_ask(fixture,
                       "POST /v1/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                       "Content-Length: 11\r\n\r\n",
                       &reply);
    assert_int_equal(strncmp(reply.data, "HTTP/1.1 413", 12), 0);
    server_testing_says(&reply, "refused: Body too large.");
}

static void too_long_by_count_is_answered(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    char chunk[4096 + 8];

    memset(chunk, 'a', sizeof(chunk));
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
    server_testing_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0) {
            fail_msg("the server cut the line: %s", strerror(errno));
        }
    }
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 413 Content Too Large\r\n");
    server_testing_says(&reply, "Connection: close\r\n");
    server_testing_wait(fixture, &fixture->finished, 1);
    assert_int_equal(fixture->last.status, 413);
}

static void bodies_share_bounded_memory(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){.body_memory_max = 1000});
    _cleanup_(fd_closep) int first = server_testing_dial(fixture),
                             second = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    _cleanup_(freep) char *text = NULL;

    server_testing_say(first, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n"
                              "Expect: 100-continue\r\nConnection: close\r\n\r\n");
    server_testing_hear(first, "\r\n\r\n", &reply); /* now its room is booked */
    server_testing_say(second, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
    buf_done(&reply);
    server_testing_hear(second, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 503 Service Unavailable\r\n");
    server_testing_says(&reply, "Retry-After: 1\r\n");
    for (int i = 0; i < 9; i++) {
        char tenth[101] = {0};
        memset(tenth, 'x', 100);
        server_testing_say(first, tenth);
    }
    buf_done(&reply);
    server_testing_hear(first, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
    /* Once answered, both have given their room back. */
    server_testing_wait(fixture, &fixture->finished, 2);
    buf_done(&reply);
    buf_addf(&reply,
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
             "%01000d",
             0);
    text = TAKE_PTR(reply.data);
    buf_done(&reply);
    server_testing_ask(fixture, text, &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
}

static void a_slow_body_is_told_so(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){.receive_timeout_s = 1});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    struct timeval pause = {.tv_usec = 50000};
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    server_testing_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    do {
        send(fd, "x", 1, MSG_NOSIGNAL); /* it never falls silent */
        n = recv(fd, buf_reserve(&reply, 4096), 4096, 0);
    } while (n < 0 && errno == EAGAIN);
    assert_true(n > 0);
    reply.len += (size_t)n;
    buf_add(&reply, "", 0);
    server_testing_says(&reply, "HTTP/1.1 408 Request Timeout\r\n");
    server_testing_wait(fixture, &fixture->finished, 1);
    assert_int_equal(fixture->last.status, 408);
}

static void slow_headers_are_cut_off(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){.receive_timeout_s = 1});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    struct timeval pause = {.tv_usec = 50000};
    uint64_t start_ms = clock_mono_ms();
    char byte;
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    server_testing_say(fd, "GET /hello HTTP/1.1\r\nX-Slow: ");
    do {
        send(fd, "x", 1, MSG_NOSIGNAL);
        n = recv(fd, &byte, 1, 0);
    } while (n < 0 && errno == EAGAIN && clock_mono_ms() - start_ms < 8000);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    assert_in_range(clock_mono_ms() - start_ms, 900, 5000);
}

static void an_idle_connection_is_closed(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){.idle_timeout_s = 1});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
}

static void counts_requests(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(buf_done) Buf reply = BUF_INIT, metrics = BUF_INIT;

    server_testing_ask(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_ask(fixture, "BREW /pot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                       &reply);
    server_testing_wait(fixture, &fixture->finished, 2);
    metrics_render(fixture->metrics, &metrics);
    server_testing_says(&metrics, "imagesync_http_requests_total{route=\"/hello\",method=\"GET\","
                                  "status=\"200\"} 1\n");
    server_testing_says(&metrics, "{route=\"other\",method=\"other\",status=\"404\"} 1\n");
    server_testing_says(&metrics, "imagesync_http_request_seconds_count{route=\"/hello\"} 1\n");
    server_testing_says(&metrics, "imagesync_http_requests_in_flight");
}

static void keeps_the_limits_on_connections(void **state) {
    ServerFixture *fixture =
        server_testing_start(state, (HttpOptions){.connections_per_address_max = 2});
    _cleanup_(fd_closep) int first = server_testing_dial(fixture),
                             second = server_testing_dial(fixture), third = -1;
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    char byte;

    server_testing_say(first, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(first, "GET", &reply);
    server_testing_say(second, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(second, "GET", &reply);
    third = server_testing_dial(fixture);
    assert_true(recv(third, &byte, 1, 0) <= 0);
}

/* One more than allowed waits in the backlog and is served when another leaves. */
static void waits_for_a_free_connection(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){.connections_max = 1});
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    int first = server_testing_dial(fixture);

    server_testing_say(first, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(first, "GET", &reply);
    _cleanup_(fd_closep) int second = server_testing_dial(fixture);
    server_testing_say(second, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    fd_close(first);
    buf_done(&reply);
    server_testing_hear(second, "GET", &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
}

static void says_why_an_address_cannot_be_had(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    HttpOptions options = {.address = "127.0.0.1",
                           .port = http_server_port(fixture->server),
                           .threads = 1,
                           .connections_max = 1};
    HttpServer *server = NULL;

    assert_int_equal(http_server_start(&options, NULL, 0, &server), -EADDRINUSE);
    options.address = "192.0.2.1";
    options.port = 0;
    assert_int_equal(http_server_start(&options, NULL, 0, &server), -EADDRNOTAVAIL);
    options.address = "localhost";
    assert_int_equal(http_server_start(&options, NULL, 0, &server), -EADDRNOTAVAIL);
    assert_null(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(answers_routes_and_keeps_the_connection, server_testing_stop),
        cmocka_unit_test_teardown(big_bodies_go_both_ways, server_testing_stop),
        cmocka_unit_test_teardown(chunked_bodies_and_expectations, server_testing_stop),
        cmocka_unit_test_teardown(refuses_in_the_words_of_the_group, server_testing_stop),
        cmocka_unit_test_teardown(a_client_may_close_its_side_early, server_testing_stop),
        cmocka_unit_test_teardown(an_abandoned_upload_is_noticed, server_testing_stop),
        cmocka_unit_test_teardown(a_not_found_keeps_the_connection, server_testing_stop),
        cmocka_unit_test_teardown(ambiguous_lengths_are_refused, server_testing_stop),
        cmocka_unit_test_teardown(too_long_by_length_is_answered, server_testing_stop),
        cmocka_unit_test_teardown(too_long_by_count_is_answered, server_testing_stop),
        cmocka_unit_test_teardown(bodies_share_bounded_memory, server_testing_stop),
        cmocka_unit_test_teardown(a_slow_body_is_told_so, server_testing_stop),
        cmocka_unit_test_teardown(slow_headers_are_cut_off, server_testing_stop),
        cmocka_unit_test_teardown(an_idle_connection_is_closed, server_testing_stop),
        cmocka_unit_test_teardown(counts_requests, server_testing_stop),
        cmocka_unit_test_teardown(keeps_the_limits_on_connections, server_testing_stop),
        cmocka_unit_test_teardown(waits_for_a_free_connection, server_testing_stop),
        cmocka_unit_test_teardown(says_why_an_address_cannot_be_had, server_testing_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
