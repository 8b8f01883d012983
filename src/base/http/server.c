/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it fits together. The library (GNU libmicrohttpd) runs a few threads, each with an epoll;
 * one more thread of ours, the watcher, accepts connections and hands them over.
 *
 * A request is born when its headers are complete (receive.c) and has two owners: the library's
 * side, until the library says that it is completed, and from the call of its handler on the
 * handler's side, until http_respond(). It goes RECEIVING -> HANDLING, and from there to ANSWERED,
 * or by way of WAITING when the handler returned without an answer: then the connection is
 * suspended. Who takes a request out of WAITING (http_respond() on any thread, or
 * http_server_stop(), which makes it ORPHANED) does so under the request's lock and resumes the
 * connection, so that this happens once and only while the connection is sure to exist. The library
 * then calls receive_request() again, which queues the answer.
 * Every socket is watched for its client's going away. For a WAITING request that calls `gone`,
 * under the same lock; the handler still answers. A body that is too long or too slow is refused
 * amid its reception, where the library takes no answer: it is written to the socket as it is
 * (REFUSING -> REFUSED), and the connection closed. A socket is ours to touch until
 * receive_completed() (CLOSED) has run, since the library closes it only afterwards. Locks: a
 * request's, then the library's own; server->lock is taken last and for moments.
 */
#include "base/http/server_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG           512
#define CONNECTION_MEMORY ((size_t)32 * 1024)

static socklen_t parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof(*v6);
    }
    return 0;
}

static int open_listener(HttpServer *server) {
    struct sockaddr_storage address;
    socklen_t len = parse_address(server->options.address, server->options.port, &address);
    int one = 1;

    if (len == 0) {
        return -EADDRNOTAVAIL;
    }
    server->listen_fd =
        socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (server->listen_fd < 0) {
        return err_errno();
    }
    setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(server->listen_fd, (struct sockaddr *)&address, len) < 0 ||
        listen(server->listen_fd, BACKLOG) < 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&address, &len) < 0) {
        return err_errno();
    }
    server->port =
        ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                           : ((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

/* Paths and queries are decoded here and not in the library, which would lose which slashes were
 * escaped and let broken escapes through. */
static size_t leave_escaped(void *userdata, struct MHD_Connection *connection, char *text) {
    (void)userdata;
    (void)connection;
    return strlen(text);
}

/* The library sets a session's pointer to its connection, as its own callbacks need it. */
static int retrieve_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                                gnutls_pcert_st **chain, unsigned *chain_len,
                                gnutls_ocsp_data_st **ocsp, unsigned *ocsp_len,
                                gnutls_privkey_t *key, unsigned *flags) {
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *context =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const Slot *slot = context ? context->socket_context : NULL;

    (void)info;
    *ocsp = NULL;
    *ocsp_len = 0;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return slot ? tls_retrieve(slot->server->options.tls, chain, chain_len, key) : -1;
}

static int start_library(HttpServer *server) {
    const HttpOptions *options = &server->options;
    /* The watcher keeps the limits of receiving; this one is for clients that do not read. */
    unsigned timeout_s = MAX(options->idle_timeout_s, options->receive_timeout_s) + 2;
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)server->n_slots * 4, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)options->connections_per_address_max, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL},
        {options->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
         (intptr_t)options->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem tls_items[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)retrieve_certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_NO_LISTEN_SOCKET | (options->tls ? MHD_USE_TLS : 0);

    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, receive_request, server, MHD_OPTION_NOTIFY_COMPLETED,
        receive_completed, server, MHD_OPTION_NOTIFY_CONNECTION, connection_notify, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_ARRAY, items,
        options->tls ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls_items, MHD_OPTION_END);
    return server->daemon ? 0 : err_errno();
}

static HttpServer *server_new(const HttpOptions *options, const HttpRouteGroup *groups,
                              size_t n_groups) {
    HttpServer *server = calloc(1, sizeof(*server));
    /* Some more than the limit: the library opens a connection a moment after it was counted. */
    size_t n_slots = (size_t)options->connections_max + 64, n_routes;

    if (!server || !(server->slots = calloc(n_slots, sizeof(*server->slots))) ||
        !(server->groups = calloc(n_groups + 1, sizeof(*groups)))) {
        abort();
    }
    server->options = *options;
    for (size_t i = 0; i < n_groups; i++) {
        server->groups[i] = groups[i];
    }
    server->n_groups = n_groups;
    server->route_lengths = route_lengths(groups, n_groups, &n_routes);
    server->counts = counts_new(n_routes);
    server->n_slots = n_slots;
    server->epoll_fd = server->wake_fd = server->listen_fd = -1;
    if (getrandom(server->id_base, sizeof(server->id_base), 0) != sizeof(server->id_base)) {
        abort();
    }
    for (size_t i = 0; i < LINGER_MAX; i++) {
        server->lingers[i].fd = -1;
    }
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->idle, NULL);
    if (options->metrics) {
        server->in_flight = metrics_gauge(options->metrics, "imagesync_http_requests_in_flight", "",
                                          "Requests being received or answered.");
    }
    return server;
}

int http_server_start(const HttpOptions *options, const HttpRouteGroup *groups, size_t n_groups,
                      HttpServer **ret_server) {
    _cleanup_(http_server_stopp) HttpServer *server = server_new(options, groups, n_groups);
    int r = open_listener(server);

    if (r == 0 && options->on_listening) {
        options->on_listening(server->port, options->on_listening_userdata);
    }
    if (r == 0) {
        r = start_library(server);
    }
    if (r == 0) {
        r = watcher_start(server);
    }
    if (r == 0) {
        *ret_server = TAKE_PTR(server);
    }
    return err_trace(r);
}

uint16_t http_server_port(const HttpServer *server) {
    return server->port;
}

void http_server_drain(HttpServer *server, uint32_t timeout_ms) {
    uint64_t until_ms = clock_mono_ms() + timeout_ms;

    atomic_store(&server->draining, true);
    server_doom(server); /* and with it the streams that never end */
    pthread_mutex_lock(&server->lock);
    while ((server->n_requests > 0 || !server->no_longer_listening) &&
           wait_until(&server->idle, &server->lock, until_ms)) {
    }
    pthread_mutex_unlock(&server->lock);
}

HttpServer *http_server_stop(HttpServer *server) {
    if (!server) {
        return NULL;
    }
    watcher_stop(server);
    if (server->daemon) {
        connection_each(server, request_orphan);
        MHD_stop_daemon(server->daemon);
    }
    retry_cancel(server);
    for (size_t i = 0; i < LINGER_MAX; i++) {
        fd_close(server->lingers[i].fd);
    }
    fd_close(server->listen_fd);
    fd_close(server->wake_fd);
    fd_close(server->epoll_fd);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    free(server->counts);
    free(server->route_lengths);
    free(server->slots);
    free(server->groups);
    free(server);
    return NULL;
}
