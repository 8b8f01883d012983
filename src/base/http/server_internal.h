/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inside of the HTTP server; for src/base/http/ only. server.c tells how it fits together. */

#include "base/fd.h"
#include "base/http/path.h"
#include "base/http/stream.h"
#include "base/http/tls_internal.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define LINGER_MAX 64
#define LINGER_MS  3000
#define PEER_SIZE  64 /* of an IPv6 address with a zone */

typedef enum RequestState {
    REQUEST_RECEIVING, /* headers are there, the body comes */
    REQUEST_HANDLING,  /* its handler runs on the thread of its connection */
    REQUEST_WAITING,   /* suspended and watched; the answer will come from somewhere */
    REQUEST_ANSWERED,  /* the answer is on its way through the library */
    REQUEST_REFUSING,  /* stopped amid its body; the answer goes straight to the socket */
    REQUEST_REFUSED,   /* that answer is written */
    REQUEST_STREAMING, /* suspended, while its answer goes straight to the socket */
    REQUEST_STREAMED,  /* that answer has ended */
    REQUEST_ORPHANED,  /* the server stopped; an answer will be dropped */
    REQUEST_CLOSED,    /* the library is done with it */
} RequestState;

/* A connection's place in the table. All members are guarded by server->lock. */
typedef struct Slot {
    HttpServer *server;
    bool used;
    bool served; /* has answered a request before */
    bool late;   /* idle for too long, and told so */
    bool hung;   /* its client will send no more */
    uint32_t generation;
    int fd;
    uint64_t since_ms;    /* when it opened or its last request ended */
    char peer[PEER_SIZE]; /* the numeric address of its other end */
    HttpRequest *request;
} Slot;

/* A socket that is only drained and closed, so that its client can read our answer first. */
typedef struct Linger {
    int fd; /* -1: free */
    uint64_t until_ms;
} Linger;

typedef struct RouteCount RouteCount; /* count.c */
typedef struct BodyStream BodyStream; /* body_stream.c */
typedef struct Reader Reader;         /* reader.c */
typedef struct Retry Retry;           /* retry.c */

struct HttpServer {
    HttpOptions options;
    HttpRouteGroup *groups;
    size_t n_groups;
    struct MHD_Daemon *daemon;
    uint16_t port;
    atomic_bool draining, stopping;
    atomic_bool doomed;          /* the watcher is to look for streams that are broken or to end */
    _Atomic uint64_t body_bytes; /* reserved for bodies */
    Metric *in_flight;
    size_t *route_lengths; /* see there */
    RouteCount *counts;    /* by route_number */
    uint64_t id_base[2];   /* random */
    _Atomic uint64_t ids_made;

    pthread_mutex_t lock; /* never held while a request's lock is taken */
    pthread_cond_t idle;  /* n_requests fell to 0, or no_longer_listening became true */
    Slot *slots;
    size_t n_slots, n_used, n_requests;
    size_t free_from; /* no slot before is free */
    Linger lingers[LINGER_MAX];
    Retry *retries;

    pthread_t watcher;
    bool watching;
    int epoll_fd, wake_fd, listen_fd;
    bool no_longer_listening;
    bool polling_listener;    /* the watcher's own, as the next one */
    uint64_t accept_after_ms; /* not before, for want of descriptors or memory */
};

typedef struct HttpPair {
    const char *name, *value;
} HttpPair;

struct HttpRequest {
    atomic_uint refs; /* one of the library, one of the handler until it answers */
    HttpServer *server;
    struct MHD_Connection *connection;
    Slot *slot;
    int fd;            /* the socket; ours to touch until REQUEST_CLOSED */
    uint64_t watch_id; /* of the slot, for the watcher's epoll */
    uint64_t started_us;
    _Atomic uint64_t deadline_ms; /* for its client; UINT64_MAX: none, or it was told */

    Arena *arena;
    const char *id, *method, *peer;
    const char *path; /* decoded; as it came when that cannot be */
    PathSegments segments;
    PathParam params[PATH_PARAMS_MAX];
    size_t n_params;
    bool bad_address; /* its escapes are broken */
    HttpPair *headers, *query;
    size_t n_headers, n_query;
    const HttpRouteGroup *group; /* NULL: no group's prefix matches */
    const HttpRoute *route;      /* NULL: refused */
    size_t route_number;         /* over all groups from 1 on; 0: none */

    int body_fd;
    uint64_t body_len, body_reserved;
    Map body_map;

    unsigned refuse_status; /* 0: the route handles it */
    const char *refuse_title, *refuse_detail;
    HttpHeader extra; /* Allow or Retry-After, with a refusal */

    pthread_mutex_t lock; /* recursive: `gone` may answer; guards what follows */
    RequestState state;
    HttpGone *gone;
    void *gone_userdata;
    bool client_gone;
    bool lingers;       /* answered before its body was read */
    bool suspended;     /* while it streams */
    BodyStream *taking; /* NULL: its body is taken as a whole */
    Reader *reader;     /* of its answer; may be NULL, as the next */
    HttpStream *stream;
    struct MHD_Response *response;
    unsigned status;
    uint64_t response_len;
};

/* request.c */
HttpRequest *request_new(HttpServer *server, Slot *slot, struct MHD_Connection *connection,
                         const char *method, const char *path);
HttpRequest *request_ref(HttpRequest *request);
void request_unref(HttpRequest *request);
DEFINE_CLEANUP(HttpRequest *, request_unref)
/* Calls `gone` when the request waits. */
void request_client_gone(HttpRequest *request);
/* Gives up a request that waits because the server stops. */
void request_orphan(HttpRequest *request);
/* The same for one whose handler has just returned; with its lock held. */
void request_orphan_unsuspended(HttpRequest *request);

/* route.c: how many segments each route's path has, by its number less one. */
size_t *route_lengths(const HttpRouteGroup *groups, size_t n_groups, size_t *ret_n_routes);
/* Fills group and route, or the refusal. */
void request_route(HttpRequest *request);
void request_refuse(HttpRequest *request, unsigned status, const char *title, const char *detail);

/* receive.c: the library's callbacks. */
enum MHD_Result receive_request(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *len, void **context);
void receive_completed(void *server, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code);
/* Answers 408 when the body is still on its way; cuts whoever does not read an answer. */
void receive_too_late(HttpRequest *request);
/* With its lock held, amid its body. */
void request_refuse_too_large(HttpRequest *request);

/* respond.c: the head of an answer that ends with its connection. */
void respond_raw_head(const HttpRequest *request, const HttpResponse *from, Buf *out);

/* body_bytes.c: what is held at most of a body of that length, which is taken in pieces. */
uint64_t body_held_max(const HttpRequest *request, uint64_t announced);

/* body_stream.c: all but the first with the request's lock held. */
/* Submits the call of `begin` and suspends the connection; false when too much waits already, or
 * the server stops. */
bool body_begin(HttpRequest *request, uint64_t announced);
/* The library goes on after the head, or has read the whole body. */
void body_go_on(HttpRequest *request);
/* The connection ends. */
void body_closed(HttpRequest *request);
/* It is answered amid its body, which is read no further. */
void body_answered(HttpRequest *request);
void body_orphan(HttpRequest *request);
/* False when it is not taken in pieces. */
bool body_too_late(HttpRequest *request);
BodyStream *body_free(BodyStream *body);
/* Without the lock, as the next: something came that is perhaps to be read past the library. */
void body_event(HttpRequest *request);
enum MHD_Result body_receive(HttpRequest *request, const char *data, size_t *len);

/* reader.c: makes request->reader, and a response that asks it. */
struct MHD_Response *reader_response(HttpRequest *request, uint64_t len, const HttpReader *from);
void reader_orphan(Reader *reader);
/* Bytes; `all`: what the library got was sent too. */
uint64_t reader_sent(Reader *reader, bool all);
bool reader_failed(Reader *reader);
Reader *reader_free(Reader *reader);

/* event_stream.c: without the request's lock, and nothing when it does not stream. */
void stream_lose(HttpRequest *request);
/* The same when it is broken or the server drains. */
void stream_lose_broken(HttpRequest *request);
/* What epoll says of the socket; false when it does not stream. */
bool stream_event(HttpRequest *request, uint32_t events);
HttpStream *stream_free(HttpStream *stream);

/* retry.c */
/* executor_submit() that always succeeds: now or later, or `work` is told that it is cancelled. */
void retry_submit(HttpServer *server, Executor *executor, ExecutorWork *work, void *userdata);
/* True when some still waits. */
bool retry_all(HttpServer *server);
void retry_cancel(HttpServer *server);

/* count.c */
RouteCount *counts_new(size_t n_routes);
void count_request(HttpServer *server, const HttpRequest *request, const HttpFinished *finished);

/* connections.c */
void connection_notify(void *server, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
/* The request becomes, or ceases to be, what its connection works on. */
void connection_begin(HttpServer *server, Slot *slot, HttpRequest *request);
void connection_end(HttpServer *server, Slot *slot, bool linger);
/* The request of a slot when it is still the same connection, with a reference; or NULL. */
HttpRequest *connection_request(HttpServer *server, uint64_t watch_id);
uint64_t connection_watch_id(HttpServer *server, const Slot *slot);
/* Notes that the client of that slot will send no more, if it is still the same connection. */
void connection_hung(HttpServer *server, uint64_t watch_id);
/* Shuts idle connections down from the slot *at on; returns a late request with a reference, and
 * where to go on, until there is none. */
HttpRequest *connection_next_late(HttpServer *server, uint64_t now_ms, size_t *at);
void connection_each(HttpServer *server, void (*visit)(HttpRequest *request));

/* watcher.c */
int watcher_start(HttpServer *server);
void watcher_stop(HttpServer *server);
void watcher_wake(HttpServer *server);
/* A connection's socket is watched, once, for its client's going away. */
void watcher_add(HttpServer *server, int fd, uint64_t watch_id);
void watcher_remove(HttpServer *server, int fd);
/* Once more, also when it went away before. */
void watcher_rearm(HttpRequest *request);
/* The same, and for these events. */
void watcher_watch(HttpRequest *request, uint32_t events);
/* Has it look for streams to end. */
void server_doom(HttpServer *server);
/* With server->lock held: keeps a duplicate of the socket open until its client has read. */
void watcher_linger(HttpServer *server, int fd);
