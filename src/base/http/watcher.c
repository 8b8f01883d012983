/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread beside the library's: it accepts connections, keeps their time limits, notices when
 * the client of a waiting request goes away (the library does not look at suspended sockets), and
 * lingers on sockets that were answered before their body was read. Its epoll never holds pointers:
 * an event names a slot and its generation, so that one that comes too late finds nothing.
 */
#include "base/http/server_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS  250
#define RETRY_MS 10
#define EVENTS   64

/* What an event is about: in the upper half of a slot's id the generation, which is never 0. */
#define ID_WAKE   ((uint64_t)0)
#define ID_LISTEN ((uint64_t)1)
#define ID_LINGER ((uint64_t)16) /* + index */

static int add(HttpServer *server, int fd, uint32_t events, uint64_t id) {
    struct epoll_event event = {.events = events, .data.u64 = id};
    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? err_errno() : 0;
}

void watcher_add(HttpServer *server, int fd, uint64_t watch_id) {
    add(server, fd, EPOLLRDHUP | EPOLLONESHOT, watch_id);
}

void watcher_remove(HttpServer *server, int fd) {
    epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void watcher_watch(HttpRequest *request, uint32_t events) {
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT | events,
                                .data.u64 = request->watch_id};
    epoll_ctl(request->server->epoll_fd, EPOLL_CTL_MOD, request->fd, &event);
}

void watcher_rearm(HttpRequest *request) {
    watcher_watch(request, 0);
}

void server_doom(HttpServer *server) {
    atomic_store(&server->doomed, true);
    watcher_wake(server);
}

void watcher_wake(HttpServer *server) {
    uint64_t one = 1;
    if (write(server->wake_fd, &one, sizeof(one)) < 0) {
        return; /* full: it is awake */
    }
}

void watcher_linger(HttpServer *server, int fd) {
    for (size_t i = 0; i < LINGER_MAX; i++) {
        Linger *linger = &server->lingers[i];
        if (linger->fd < 0) {
            linger->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            linger->until_ms = clock_mono_ms() + LINGER_MS;
            if (linger->fd >= 0 && add(server, linger->fd, EPOLLIN, ID_LINGER + i) < 0) {
                linger->fd = fd_close(linger->fd);
            }
            return;
        }
    }
}

/* Discards what came in; closes at its end. */
static void drain_linger(HttpServer *server, size_t index) {
    Linger *linger = &server->lingers[index];
    ssize_t n;

    pthread_mutex_lock(&server->lock);
    if (linger->fd >= 0) {
        n = recv(linger->fd, NULL, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            linger->fd = fd_close(linger->fd);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static void close_lingers(HttpServer *server, uint64_t now_ms) {
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < LINGER_MAX; i++) {
        Linger *linger = &server->lingers[i];
        if (linger->fd >= 0 && now_ms >= linger->until_ms) {
            linger->fd = fd_close(linger->fd);
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static void set_listening(HttpServer *server, bool listening) {
    if (listening != server->polling_listener) {
        struct epoll_event event = {.events = listening ? EPOLLIN : 0, .data.u64 = ID_LISTEN};
        epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listen_fd, &event);
        server->polling_listener = listening;
    }
}

static void accept_one(HttpServer *server) {
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd =
        accept4(server->listen_fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        /* Closes the socket itself when an address has too many. */
        MHD_add_connection(server->daemon, fd, (struct sockaddr *)&address, len);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        server->accept_after_ms = clock_mono_ms() + TICK_MS;
    }
}

static void look_after_listener(HttpServer *server) {
    pthread_mutex_lock(&server->lock);
    if (server->listen_fd >= 0 && atomic_load(&server->draining)) {
        epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, server->listen_fd, NULL);
        server->listen_fd = fd_close(server->listen_fd);
        server->no_longer_listening = true;
        pthread_cond_broadcast(&server->idle);
    } else if (server->listen_fd >= 0) {
        set_listening(server, server->n_used < server->options.connections_max &&
                                  clock_mono_ms() >= server->accept_after_ms);
    }
    pthread_mutex_unlock(&server->lock);
}

static void keep_time(HttpServer *server) {
    uint64_t now_ms = clock_mono_ms();
    HttpRequest *late;
    size_t at = 0;

    while ((late = connection_next_late(server, now_ms, &at))) {
        receive_too_late(late);
        request_unref(late);
    }
    close_lingers(server, now_ms);
}

static void handle_event(HttpServer *server, uint64_t id, uint32_t events) {
    uint64_t count;

    if (id == ID_WAKE) {
        if (read(server->wake_fd, &count, sizeof(count)) < 0) {
            return; /* somebody else's wake was read before */
        }
    } else if (id == ID_LISTEN) {
        if (server->listen_fd >= 0) {
            accept_one(server);
        }
    } else if (id >> 32 == 0) {
        drain_linger(server, (size_t)(id - ID_LINGER));
    } else {
        _cleanup_(request_unrefp) HttpRequest *request = connection_request(server, id);
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            connection_hung(server, id);
        }
        if (request && !stream_event(request, events)) {
            body_event(request);
            request_client_gone(request);
        }
    }
}

static void *watch(void *userdata) {
    HttpServer *server = userdata;
    struct epoll_event events[EVENTS];
    uint64_t last_ms = clock_mono_ms();
    bool retries = false;

    pthread_setname_np(pthread_self(), "http-watch");
    while (!atomic_load(&server->stopping)) {
        int n;
        look_after_listener(server);
        n = epoll_wait(server->epoll_fd, events, EVENTS, retries ? RETRY_MS : TICK_MS);
        for (int i = 0; i < n; i++) {
            handle_event(server, events[i].data.u64, events[i].events);
        }
        retries = retry_all(server);
        if (atomic_exchange(&server->doomed, false)) {
            connection_each(server, stream_lose_broken);
        }
        if (clock_mono_ms() - last_ms >= TICK_MS) {
            last_ms = clock_mono_ms();
            keep_time(server);
        }
    }
    return NULL;
}

int watcher_start(HttpServer *server) {
    int r;

    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll_fd < 0 || server->wake_fd < 0) {
        return err_trace(err_errno());
    }
    r = add(server, server->wake_fd, EPOLLIN, ID_WAKE);
    if (r == 0) {
        r = add(server, server->listen_fd, EPOLLIN, ID_LISTEN);
    }
    if (r == 0) {
        server->polling_listener = true;
        r = -pthread_create(&server->watcher, NULL, watch, server);
    }
    server->watching = r == 0;
    return err_trace(r);
}

void watcher_stop(HttpServer *server) {
    if (server->watching) {
        atomic_store(&server->stopping, true);
        watcher_wake(server);
        pthread_join(server->watcher, NULL);
        server->watching = false;
    }
}
