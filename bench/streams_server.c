/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For bench/streams.py: our HTTP server with an upload that is thrown away (POST /sink), a download
 * of as many bytes as asked (GET /source?LEN) and event streams that are silent (GET /events) until
 * all are written to (POST /tell). Prints its port and serves until standard input ends.
 */
#include "base/http/stream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAMS_MAX 20000

typedef struct Bench {
    Executor *executor;
    pthread_mutex_t lock;
    HttpStream *streams[STREAMS_MAX];
    size_t n_streams;
} Bench;

static void *sink_begin(HttpRequest *request, void *context) {
    (void)request;
    return context;
}

static bool sink_piece(HttpRequest *request, void *state, Str bytes) {
    (void)request, (void)state, (void)bytes;
    return true;
}

static void sink_end(HttpRequest *request, void *state, HttpBodyEnd end) {
    (void)state, (void)end;
    http_respond(request, &(HttpResponse){.status = 204});
}

static int read_source(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n) {
    (void)state, (void)offset, (void)bytes;
    *ret_n = max; /* whatever is there, as from a page cache that costs nothing */
    return 0;
}

static void done(void *state) {
    (void)state;
}

static void source(HttpRequest *request, void *context) {
    Bench *bench = context;
    const char *len = http_request_query(request, "len");

    http_respond_reader(request, &(HttpResponse){.status = 200},
                        strtoull(len ? len : "0", NULL, 10),
                        &(HttpReader){read_source, done, NULL, bench->executor});
}

static void events(HttpRequest *request, void *context) {
    Bench *bench = context;
    HttpStream *stream = http_respond_stream(
        request, &(HttpResponse){.status = 200, .content_type = "text/event-stream"}, 65536, NULL,
        NULL);

    pthread_mutex_lock(&bench->lock);
    if (bench->n_streams < STREAMS_MAX) {
        bench->streams[bench->n_streams++] = stream;
    }
    pthread_mutex_unlock(&bench->lock);
}

static void tell(HttpRequest *request, void *context) {
    Bench *bench = context;

    pthread_mutex_lock(&bench->lock);
    for (size_t i = 0; i < bench->n_streams; i++) {
        http_stream_write(bench->streams[i], str_lit("data: {\"seq\":1}\n\n"));
    }
    pthread_mutex_unlock(&bench->lock);
    http_respond(request, &(HttpResponse){.status = 204});
}

static const HttpBodyStream sink = {sink_begin, sink_piece, sink_end};
static const HttpRoute routes[] = {
    {"POST", "/sink", .body_max = SIZE_MAX, .body = &sink},
    {"GET", "/source", source, 0},
    {"GET", "/events", events, 0},
    {"POST", "/tell", tell, 0, .blocks = true},
    {NULL},
};

int main(void) {
    static Bench bench;
    HttpOptions options = {.address = "127.0.0.1",
                           .threads = 2,
                           .connections_max = STREAMS_MAX,
                           .idle_timeout_s = 60,
                           .receive_timeout_s = 60};
    HttpRouteGroup group = {.prefix = "/", .routes = routes, .context = &bench};
    HttpServer *server;

    pthread_mutex_init(&bench.lock, NULL);
    if (executor_new(&(ExecutorOptions){.name = "bench", .threads = 2, .queue_max = 1000},
                     &bench.executor) < 0) {
        return 1;
    }
    group.executor = bench.executor;
    if (http_server_start(&options, &group, 1, &server) < 0) {
        return 1;
    }
    printf("%u\n", http_server_port(server));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    http_server_stop(server);
    for (size_t i = 0; i < bench.n_streams; i++) {
        http_stream_end(bench.streams[i]);
    }
    executor_free(bench.executor);
    return 0;
}
