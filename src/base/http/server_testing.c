/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_testing.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/http/cookie.h"
#include "base/wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void hello(HttpRequest *request, void *context) {
    const char *name = http_request_query(request, "name");
    const char *header = http_request_header(request, "x-more");
    char *text = arena_printf(http_request_arena(request), "hello %s %s from %s %s",
                              name ? name : "you", header ? header : "-",
                              http_request_peer(request), http_request_method(request));
    (void)context;
    http_respond(request, &(HttpResponse){.status = 200,
                                          .content_type = "text/plain",
                                          .headers = (HttpHeader[]){{"X-Test", "1"}, {NULL, NULL}},
                                          .body = str_from(text)});
}

static void echo(HttpRequest *request, void *context) {
    int fd = http_request_body_fd(request);
    Str body = http_request_body(request);

    (void)context;
    assert_true(fd < 0 || write(fd, "x", 1) < 0); /* sealed */
    http_respond(request, &(HttpResponse){.status = 200, .body = body});
}

static void echo_file(HttpRequest *request, void *context) {
    Str body = http_request_body(request);
    int fd;

    (void)context;
    assert_int_equal(fd_memory_new("answer", &fd), 0);
    assert_int_equal(fd_write_all(fd, body.ptr, body.len), 0);
    http_respond(request, &(HttpResponse){.status = 200, .body_fd = fd, .body_fd_len = body.len});
}

void server_testing_gone(HttpRequest *request, void *userdata) {
    ServerFixture *fixture = userdata;

    (void)request;
    pthread_mutex_lock(&fixture->lock);
    fixture->gone++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void later(HttpRequest *request, void *context) {
    ServerFixture *fixture = context;

    http_request_on_gone(request, server_testing_gone, fixture);
    pthread_mutex_lock(&fixture->lock);
    fixture->waiting = request;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void blocking(HttpRequest *request, void *context) {
    ServerFixture *fixture = context;

    pthread_mutex_lock(&fixture->lock);
    fixture->blocking++;
    pthread_cond_broadcast(&fixture->changed);
    while (!fixture->open) {
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    }
    pthread_mutex_unlock(&fixture->lock);
    hello(request, context);
}

void server_testing_open(ServerFixture *fixture) {
    pthread_mutex_lock(&fixture->lock);
    fixture->open = true;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void thing(HttpRequest *request, void *context) {
    const char *cookie = http_request_cookie(request, "session");
    char *text = arena_printf(http_request_arena(request), "%s thing <%s> cookie <%s>.",
                              http_request_method(request), http_request_param(request, "id"),
                              cookie ? cookie : "none");

    (void)context;
    http_respond(request, &(HttpResponse){.status = 200, .body = str_from(text)});
}

static void all_things(HttpRequest *request, void *context) {
    (void)context;
    http_respond(request, &(HttpResponse){.status = 200, .body = str_lit("all things.")});
}

static void sign_in(HttpRequest *request, void *context) {
    Arena *arena = http_request_arena(request);
    HttpHeader headers[] = {{"Set-Cookie", NULL}, {"Set-Cookie", NULL}, {NULL, NULL}};
    HttpCookie session = {.name = "__Host-session",
                          .value = "abc",
                          .max_age_s = 60,
                          .same_site = HTTP_SAME_SITE_STRICT,
                          .secure = true,
                          .http_only = true};
    HttpCookie old = {.name = "old", .value = "", .path = "/v1", .max_age_s = -1};

    (void)context;
    assert_int_equal(http_cookie_format(&session, arena, &headers[0].value), 0);
    assert_int_equal(http_cookie_format(&old, arena, &headers[1].value), 0);
    http_respond_see_other(request, "/hello?x", headers);
}

static void refuse(HttpRequest *request, unsigned status, const char *title, const char *detail,
                   void *context) {
    char *text = arena_printf(http_request_arena(request), "refused: %s. %s", title, detail);
    (void)context;
    http_respond(request, &(HttpResponse){.status = status,
                                          .content_type = "text/x-refusal",
                                          .body = str_from(text)});
}

static const HttpRoute plain_routes[] = {
    {"GET", "/hello", hello, 0},
    {"POST", "/echo", echo, SERVER_TESTING_BODY_MAX},
    {"PUT", "/echo", echo_file, SERVER_TESTING_BODY_MAX},
    {"GET", "/later", later, 0},
    {"GET", "/things/{id}", thing, 0},
    {"GET", "/things/all", all_things, 0},
    {"PUT", "/things/{id}", thing, SERVER_TESTING_BODY_MAX},
    {"PATCH", "/things/{id}", thing, SERVER_TESTING_BODY_MAX},
    {"DELETE", "/things/{id}", thing, 0},
    {"GET", "/sign-in", sign_in, 0},
    {NULL},
};
static const HttpRoute api_routes[] = {
    {"POST", "/v1/echo", echo, 10},
    {"GET", "/v1/blocking", blocking, 0, .blocks = true},
    {NULL},
};

static void on_finished(const HttpFinished *finished, void *userdata) {
    ServerFixture *fixture = userdata;

    pthread_mutex_lock(&fixture->lock);
    fixture->finished++;
    fixture->last.status = finished->status;
    fixture->last.bytes_in = finished->bytes_in;
    fixture->last.bytes_out = finished->bytes_out;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

ServerFixture *server_testing_start(void **state, HttpOptions options) {
    return server_testing_start_with(state, options, (HttpRouteGroup){0});
}

ServerFixture *server_testing_start_with(void **state, HttpOptions options, HttpRouteGroup extra) {
    ServerFixture *fixture = calloc(1, sizeof(*fixture));
    HttpRouteGroup groups[] = {
        {"/", plain_routes, NULL, fixture}, {"/v1/", api_routes, refuse, fixture}, extra};

    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->changed, NULL);
    fixture->metrics = metrics_new();
    assert_int_equal(
        executor_new(&(ExecutorOptions){"blocking", 1, 1, fixture->metrics}, &fixture->executor),
        0);
    assert_int_equal(executor_new(&(ExecutorOptions){"workers", 2, 4, NULL}, &fixture->workers), 0);
    groups[1].executor = fixture->executor;
    groups[2].executor = fixture->workers;
    groups[2].context = fixture;
    options.address = options.address ? options.address : "127.0.0.1";
    options.threads = 2;
    options.connections_max = options.connections_max ? options.connections_max : 50;
    options.idle_timeout_s = options.idle_timeout_s ? options.idle_timeout_s : 20;
    options.receive_timeout_s = options.receive_timeout_s ? options.receive_timeout_s : 20;
    options.metrics = fixture->metrics;
    options.on_finished = on_finished;
    options.on_finished_userdata = fixture;
    assert_int_equal(http_server_start(&options, groups, extra.routes ? 3 : 2, &fixture->server),
                     0);
    *state = fixture;
    return fixture;
}

int server_testing_stop(void **state) {
    ServerFixture *fixture = *state;

    server_testing_open(fixture);
    http_server_stop(fixture->server);
    executor_free(fixture->workers);
    executor_free(fixture->executor);
    metrics_free(fixture->metrics);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

void server_testing_wait(ServerFixture *fixture, const unsigned *counter, unsigned least) {
    uint64_t until_ms = clock_mono_ms() + 10000;

    pthread_mutex_lock(&fixture->lock);
    while (*counter < least) {
        assert_true(wait_until(&fixture->changed, &fixture->lock, until_ms));
    }
    pthread_mutex_unlock(&fixture->lock);
}

HttpRequest *server_testing_request(ServerFixture *fixture) {
    HttpRequest *request;

    pthread_mutex_lock(&fixture->lock);
    while (!fixture->waiting) {
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    }
    request = TAKE_PTR(fixture->waiting);
    pthread_mutex_unlock(&fixture->lock);
    return request;
}

int server_testing_dial(ServerFixture *fixture) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(fixture->server)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        fd_close(fd);
        return -1;
    }
    return fd;
}

void server_testing_say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void server_testing_hear(int fd, const char *until, Buf *reply) {
    ssize_t n;

    do {
        n = recv(fd, buf_reserve(reply, 65536), 65536, 0);
        if (n < 0) {
            fail_msg("the server neither answered nor closed: %s", strerror(errno));
        }
        reply->len += (size_t)n;
        buf_add(reply, "", 0);
    } while (n > 0 && !(until && strstr(reply->data, until)));
}

void server_testing_says(const Buf *reply, const char *part) {
    if (!strstr(buf_cstr(reply), part)) {
        fail_msg("no \"%s\" in:\n%.2000s", part, buf_cstr(reply));
    }
}

void server_testing_ask(ServerFixture *fixture, const char *text, Buf *reply) {
    _cleanup_(fd_closep) int fd = server_testing_dial(fixture);

    buf_done(reply);
    server_testing_say(fd, text);
    server_testing_hear(fd, NULL, reply);
}
