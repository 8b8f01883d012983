/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_testing.h"

#include "base/fd.h"

static void an_answer_may_come_from_another_thread(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    for (int i = 0; i < 3; i++) {
        HttpRequest *request;
        server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        request = server_testing_request(fixture);
        http_respond(request, &(HttpResponse){.status = 201, .body = str_lit("at last")});
        buf_done(&reply);
        server_testing_hear(fd, "at last", &reply);
        server_testing_says(&reply, "HTTP/1.1 201 Created\r\n");
    }
    assert_int_equal(fixture->gone, 0);
}

static void requests_sent_at_once_are_answered_in_turn(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    http_respond(server_testing_request(fixture), &(HttpResponse){.status = 201});
    http_respond(server_testing_request(fixture), &(HttpResponse){.status = 202});
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 201 Created\r\n");
    server_testing_says(&reply, "HTTP/1.1 202 Accepted\r\n");
    assert_int_equal(fixture->gone, 0);
}

static void a_client_that_goes_away_is_noticed(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    int fd = server_testing_dial(fixture);
    HttpRequest *request;

    server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    request = server_testing_request(fixture);
    fd = fd_close(fd);
    server_testing_wait(fixture, &fixture->gone, 1);
    /* Who asks to be told later is told at once. */
    http_request_on_gone(request, server_testing_gone, fixture);
    server_testing_wait(fixture, &fixture->gone, 2);
    http_request_on_gone(request, NULL, NULL);
    http_respond(request, &(HttpResponse){.status = 200});
    server_testing_wait(fixture, &fixture->finished, 1);
    assert_int_equal(fixture->last.status, 499);
    assert_int_equal(fixture->gone, 2);
}

static void answer_when_gone(HttpRequest *request, void *userdata) {
    server_testing_gone(request, userdata);
    http_respond(request, &(HttpResponse){.status = 200});
}

static void gone_may_answer(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    int fd = server_testing_dial(fixture);

    server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    http_request_on_gone(server_testing_request(fixture), answer_when_gone, fixture);
    fd = fd_close(fd);
    server_testing_wait(fixture, &fixture->gone, 1);
    server_testing_wait(fixture, &fixture->finished, 1);
}

static void *respond_now(void *request) {
    http_respond(request, &(HttpResponse){.status = 200, .body = str_lit("raced")});
    return NULL;
}

/* The answer races with the client's leaving and with the handler's own return. */
static void races_end_well(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});

    for (int i = 0; i < 200; i++) {
        int fd = server_testing_dial(fixture);
        pthread_t thread;
        server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(
            pthread_create(&thread, NULL, respond_now, server_testing_request(fixture)), 0);
        if (i % 2) {
            fd_close(fd);
            pthread_join(thread, NULL);
        } else {
            _cleanup_(buf_done) Buf reply = BUF_INIT;
            server_testing_hear(fd, "raced", &reply);
            server_testing_says(&reply, "raced");
            pthread_join(thread, NULL);
            fd_close(fd);
        }
    }
    server_testing_wait(fixture, &fixture->finished, 200);
}

static void *drain(void *server) {
    http_server_drain(server, 10000);
    return NULL;
}

static void draining_answers_what_is_under_way(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture),
                             other = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;
    HttpRequest *request;
    pthread_t thread;
    int late;

    server_testing_say(other, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(other, "GET", &reply);
    server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    request = server_testing_request(fixture);
    assert_int_equal(pthread_create(&thread, NULL, drain, fixture->server), 0);
    do { /* the listener closes a moment later */
        late = server_testing_dial(fixture);
        fd_close(late);
    } while (late >= 0);
    buf_done(&reply);
    server_testing_say(other, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(other, NULL, &reply);
    server_testing_says(&reply, "HTTP/1.1 503 Service Unavailable\r\n");
    buf_done(&reply);
    http_respond(request, &(HttpResponse){.status = 200, .body = str_lit("still")});
    server_testing_hear(fd, NULL, &reply);
    server_testing_says(&reply, "Connection: close\r\n");
    server_testing_says(&reply, "still");
    pthread_join(thread, NULL);
}

static void stopping_lets_go_of_waiting_requests(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
    HttpRequest *request;

    server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\nX-More: kept\r\n\r\n");
    request = server_testing_request(fixture);
    fixture->server = http_server_stop(fixture->server);
    assert_int_equal(fixture->gone, 1);
    assert_string_equal(http_request_header(request, "X-More"), "kept");
    http_respond(request, &(HttpResponse){.status = 200});
}

/* Whether the stop finds the request received, handled, waiting or not there at all. */
static void stopping_at_any_moment_ends_well(void **state) {
    for (int i = 0; i < 30; i++) {
        ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
        _cleanup_(fd_closep) int fd = server_testing_dial(fixture);
        HttpRequest *request = NULL;
        server_testing_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2 == 0) { /* its handler has begun and may not have returned */
            request = server_testing_request(fixture);
        }
        fixture->server = http_server_stop(fixture->server);
        request = request ? request : fixture->waiting;
        if (request) {
            assert_int_equal(fixture->gone, 1);
            http_respond(request, &(HttpResponse){.status = 200});
        }
        server_testing_stop(state);
    }
}

/* Until a request waits for the executor's thread. */
static void wait_until_queued(ServerFixture *fixture) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    do {
        buf_done(&text);
        metrics_render(fixture->metrics, &text);
    } while (!strstr(text.data, "imagesync_executor_queued{executor=\"blocking\"} 1\n"));
}

static void a_handler_that_blocks_keeps_nobody_else(void **state) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
    _cleanup_(fd_closep) int running = server_testing_dial(fixture),
                             waiting = server_testing_dial(fixture),
                             late = server_testing_dial(fixture);
    _cleanup_(buf_done) Buf reply = BUF_INIT;

    server_testing_say(running, "GET /v1/blocking?name=first HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_wait(fixture, &fixture->blocking, 1);
    server_testing_say(waiting, "GET /v1/blocking?name=second HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until_queued(fixture);
    server_testing_say(late, "GET /v1/blocking HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(late, "moment.", &reply);
    server_testing_says(&reply, "HTTP/1.1 503 Service Unavailable\r\n");
    server_testing_says(&reply, "Retry-After: 1\r\n");
    server_testing_says(&reply, "refused: Busy.");
    /* Whoever does not block is answered meanwhile, on the same connection too. */
    buf_done(&reply);
    server_testing_say(late, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    server_testing_hear(late, "GET", &reply);
    server_testing_says(&reply, "HTTP/1.1 200 OK\r\n");
    assert_int_equal(fixture->blocking, 1);
    server_testing_open(fixture);
    buf_done(&reply);
    server_testing_hear(running, "GET", &reply);
    server_testing_says(&reply, "hello first");
    buf_done(&reply);
    server_testing_hear(waiting, "GET", &reply);
    server_testing_says(&reply, "hello second");
}

/* One runs and one waits while the server and then the executor end. */
static void stopping_lets_blocking_handlers_end(void **state) {
    for (int i = 0; i < 30; i++) {
        ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});
        _cleanup_(fd_closep) int running = server_testing_dial(fixture),
                                 waiting = server_testing_dial(fixture);
        server_testing_say(running, "GET /v1/blocking HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 3 > 0) {
            server_testing_wait(fixture, &fixture->blocking, 1);
        }
        server_testing_say(waiting, "GET /v1/blocking HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2 > 0) {
            server_testing_open(fixture);
        }
        fixture->server = http_server_stop(fixture->server);
        server_testing_stop(state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_answer_may_come_from_another_thread, server_testing_stop),
        cmocka_unit_test_teardown(requests_sent_at_once_are_answered_in_turn, server_testing_stop),
        cmocka_unit_test_teardown(a_client_that_goes_away_is_noticed, server_testing_stop),
        cmocka_unit_test_teardown(gone_may_answer, server_testing_stop),
        cmocka_unit_test_teardown(races_end_well, server_testing_stop),
        cmocka_unit_test_teardown(draining_answers_what_is_under_way, server_testing_stop),
        cmocka_unit_test_teardown(stopping_lets_go_of_waiting_requests, server_testing_stop),
        cmocka_unit_test(stopping_at_any_moment_ends_well),
        cmocka_unit_test_teardown(a_handler_that_blocks_keeps_nobody_else, server_testing_stop),
        cmocka_unit_test(stopping_lets_blocking_handlers_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
