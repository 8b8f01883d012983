/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The HTTP server: routes, whole request bodies in memory files, and answers that may come later
 * from another thread. Bodies that come and go in pieces: base/http/stream.h. Over GNU
 * libmicrohttpd (epoll, a small pool of threads; a request that waits holds no thread), in plain
 * text or over TLS 1.2 and 1.3. Each reply carries the headers of base/http/security_headers.h
 * unless its handler gives them.
 */

#include "base/arena.h"
#include "base/executor.h"
#include "base/http/tls.h"
#include "base/metrics.h"

#include <stdint.h>

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;

/*
 * Called when the whole body has arrived. Must answer with http_respond() exactly once, now or
 * later from any thread; until then the connection waits without a thread.
 */
typedef void HttpHandler(HttpRequest *request, void *context);

/*
 * Called first, on the connection's thread, for a route that blocks: answers at once from memory
 * and says true, or says false and has done nothing. It must not wait for anything.
 */
typedef bool HttpQuick(HttpRequest *request, void *context);

typedef struct HttpRoute {
    const char *method; /* "GET" also answers HEAD */
    /* Segments as they are, or "{name}" for any that is not empty: "/v1/sessions/{id}". A path that
     * fits several goes to the one with the fewest names. */
    const char *path;
    HttpHandler *handle;
    size_t body_max; /* bytes; more is refused with 413 by `refuse` before it is read */
    /* The handler runs on an executor, because it waits for databases and the like; when
     * too much waits there, `refuse` answers 503 with Retry-After. */
    bool blocks;
    HttpQuick *quick;   /* may be NULL */
    Executor *executor; /* of this route; NULL: the group's */
    /* Takes the body in pieces, see base/http/stream.h; NULL: `handle` gets it whole. */
    const struct HttpBodyStream *body;
} HttpRoute;

/*
 * How a group of routes words the errors that the server itself finds (400 two lengths, 400 bad
 * escapes in the address, 413 body
 * too large, 408 too slow, 405, 404, 503 no memory left, too much waiting or shutting down). Must
 * answer before it returns, with `body` and not `body_fd`. A request that is not HTTP at all is
 * answered by the library.
 */
typedef void HttpRefuse(HttpRequest *request, unsigned status, const char *title,
                        const char *detail, void *context);

typedef struct HttpRouteGroup {
    const char *prefix;      /* "/v1.0/": which unmatched paths are this group's to refuse */
    const HttpRoute *routes; /* ends with method NULL */
    HttpRefuse *refuse;      /* NULL: RFC 9457 problem details */
    void *context;
    Executor *executor; /* for routes that block; all are stopped after the server is */
} HttpRouteGroup;

/* What became of a request, for the log. Strings live as long as the call. */
typedef struct HttpFinished {
    const char *request_id, *method, *path, *peer;
    const char *route; /* the route's path, or "other" */
    /* 499: the client went away before it was answered in full; 500 also when what was to be sent
     * could not be read. */
    unsigned status;
    uint64_t bytes_in, bytes_out; /* of the bodies */
    double seconds;
} HttpFinished;
typedef void HttpOnFinished(const HttpFinished *finished, void *userdata);

/* Called once the port is known and before the first request is taken. */
typedef void HttpOnListening(uint16_t port, void *userdata);

typedef struct HttpOptions {
    const char *address; /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;       /* 0: any free one; http_server_port() tells */
    unsigned threads;
    unsigned connections_max;
    unsigned connections_per_address_max;
    unsigned idle_timeout_s;
    /* For a whole request, however it trickles; of a body that is taken in pieces for its silence.
     */
    unsigned receive_timeout_s;
    HttpTls *tls; /* NULL: plain HTTP; must outlive the server */
    /* Proxies whose X-Forwarded-For is believed, see http_request_peer(); NULL: none. Outlives the
     * server. */
    const struct Netguard *trusted_proxies;
    uint64_t body_memory_max; /* bytes of all bodies held at once, else 503; 0: no limit */
    /* Bodies in pieces of so many bytes are read past the library, and their connections end with
     * them; 0: 16 MiB. */
    uint64_t body_long_min;
    Metrics *metrics;            /* may be NULL */
    HttpOnFinished *on_finished; /* called once a request, on any thread; may be NULL */
    void *on_finished_userdata;
    HttpOnListening *on_listening; /* may be NULL */
    void *on_listening_userdata;
} HttpOptions;

/* -EADDRINUSE, -EADDRNOTAVAIL, -EACCES ... when the address cannot be had. */
int http_server_start(const HttpOptions *options, const HttpRouteGroup *groups, size_t n_groups,
                      HttpServer **ret_server);
uint16_t http_server_port(const HttpServer *server);
/*
 * Stops listening and waits until the requests under way are answered, at most so long; their
 * connections are closed then. Streams (http_respond_stream()) end at once. A new request on an
 * open connection gets 503.
 */
void http_server_drain(HttpServer *server, uint32_t timeout_ms);
/*
 * Closes everything. Requests that still wait are told that their client is gone; their handlers
 * may answer even after this has returned. Accepts NULL, returns NULL.
 */
HttpServer *http_server_stop(HttpServer *server);
DEFINE_CLEANUP(HttpServer *, http_server_stop)

/* What the client sent. Strings live as long as the request. */
Arena *http_request_arena(HttpRequest *request);
const char *
http_request_id(HttpRequest *request); /* X-Request-Id when it is well-formed, else ours */
const char *http_request_method(HttpRequest *request);
const char *http_request_path(HttpRequest *request); /* decoded */
/* What stands for "{name}" in the route's path: decoded, UTF-8, no control characters; may hold a
 * slash. The route must have that name. */
const char *http_request_param(HttpRequest *request, const char *name);
const char *http_request_header(HttpRequest *request, const char *name); /* NULL: absent */
const char *http_request_query(HttpRequest *request,
                               const char *name); /* decoded, UTF-8; NULL: absent */
/* How many times it was sent. */
size_t http_request_query_count(HttpRequest *request, const char *name);
/* Appends all of them, as they were sent, each name and value with a NUL after it: what tells one
 * request from another. */
void http_request_query_write(HttpRequest *request, Buf *out);
/*
 * The client's numeric address. From a trusted proxy it is the last hop in X-Forwarded-For that is
 * no trusted proxy itself: what stands before that, anybody may have written. The header is not
 * there any more then; that of anybody else stays and means nothing.
 */
const char *http_request_peer(HttpRequest *request);
int http_request_body_fd(HttpRequest *request); /* sealed memory file; -1: no body */
Str http_request_body(HttpRequest *request);    /* the same, mapped */

/*
 * Called (once, on a thread of the server) when the client goes away before it was answered. The
 * handler must still answer; nobody will read it. NULL takes it back. While it runs, other threads
 * wait in http_respond() and http_request_on_gone() of that request, so that its userdata can be
 * freed after either: do not call these with a lock held that `gone` takes.
 */
typedef void HttpGone(HttpRequest *request, void *userdata);
void http_request_on_gone(HttpRequest *request, HttpGone *gone, void *userdata);

typedef struct HttpHeader {
    const char *name, *value;
} HttpHeader;

typedef struct HttpResponse {
    unsigned status;
    const char *content_type;
    /* Ends with name NULL; may be NULL. A name may come several times. One whose value holds a line
     * break is left out. */
    const HttpHeader *headers;
    Str body;    /* copied */
    int body_fd; /* used instead of `body` when > 0: sent from offset 0; taken over */
    uint64_t body_fd_len;
} HttpResponse;

/* Exactly once a request, from any thread; the request is not to be touched afterwards. */
void http_respond(HttpRequest *request, const HttpResponse *response);

/* 303: go on with GET at `location`, a path or URL of whose target the caller is sure. */
void http_respond_see_other(HttpRequest *request, const char *location, const HttpHeader *headers);

/* RFC 9457: application/problem+json with title, status, detail and the request id; and with
 * `code`, a word of ours for programs. */
typedef struct HttpProblem {
    unsigned status;
    const char *code, *title;
    const char *detail;           /* may be NULL, as `code` may */
    const HttpHeader *headers;    /* as in HttpResponse */
    const struct json_t *members; /* more of them (RFC 9457 3.2); NULL: none. Borrowed. */
} HttpProblem;
void http_respond_problem_coded(HttpRequest *request, const HttpProblem *problem);
/* The word for programs in what the server itself refuses with that status. */
const char *http_code_of_status(unsigned status);
/* With that code. */
void http_respond_problem(HttpRequest *request, unsigned status, const char *title,
                          const char *detail);
