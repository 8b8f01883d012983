/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inside of the HTTP server; for src/base/http/ only. server.c tells how it fits together. */

#include "base/fd.h"
#include "base/http/path.h"
#include "base/http/server.h"
#include "base/http/tls_internal.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define LINGER_MAX 64
#define PEER_SIZE  64 /* of an IPv6 address with a zone */

typedef enum RequestState {
    REQUEST_RECEIVING, /* headers are there, the body comes */
    REQUEST_HANDLING,  /* its handler runs on the thread of its connection */
    REQUEST_WAITING,   /* suspended and watched; the answer will come from somewhere */
    REQUEST_ANSWERED,  /* the answer is on its way through the library */
    REQUEST_REFUSING,  /* stopped amid its body; the answer goes straight to the socket */
    REQUEST_REFUSED,   /* that answer is written */
    REQUEST_ORPHANED,  /* the server stopped; an answer will be dropped */
    REQUEST_CLOSED,    /* the library is done with it */
} RequestState;

/* A connection's place in the table. All members are guarded by server->lock. */
typedef struct Slot {
    HttpServer *server;
    bool used;
    bool served; /* has answered a request before */
    bool late;   /* its request was told so */
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

struct HttpServer {
    HttpOptions options;
    HttpRouteGroup *groups;
    size_t n_groups;
    struct MHD_Daemon *daemon;
    uint16_t port;
    atomic_bool draining, stopping;
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
    Linger lingers[LINGER_MAX];

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
    uint64_t started_us, deadline_ms;

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
    bool lingers; /* answered before its body was read */
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
/* Answers 408 when the body is still on its way. */
void receive_too_late(HttpRequest *request);

/* respond.c */
struct MHD_Response *respond_build(HttpRequest *request, const HttpResponse *response);
void respond_raw(HttpRequest *request, const HttpResponse *response);

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
/* Shuts idle connections down; returns a late request with a reference, until there is none. */
HttpRequest *connection_next_late(HttpServer *server, uint64_t now_ms);
void connection_orphan_all(HttpServer *server);

/* watcher.c */
int watcher_start(HttpServer *server);
void watcher_stop(HttpServer *server);
void watcher_wake(HttpServer *server);
/* A connection's socket is watched, once, for its client's going away. */
void watcher_add(HttpServer *server, int fd, uint64_t watch_id);
void watcher_remove(HttpServer *server, int fd);
/* Once more, also when it went away before. */
void watcher_rearm(HttpRequest *request);
/* With server->lock held: keeps a duplicate of the socket open until its client has read. */
void watcher_linger(HttpServer *server, int fd);
