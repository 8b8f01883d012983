/* SPDX-License-Identifier: Apache-2.0 */
/* The table of open connections: which request each works on and since when it has been idle. */
#include "base/http/server_internal.h"

#include "base/clock.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void numeric_peer(struct MHD_Connection *connection, char ret_peer[PEER_SIZE]) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    Str text;
    socklen_t len;

    if (!address) {
        return;
    }
    len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getnameinfo(address, len, ret_peer, PEER_SIZE, NULL, 0, NI_NUMERICHOST) != 0) {
        ret_peer[0] = '\0';
        return;
    }
    /* An IPv4 client of a dual-stack socket is the same client. */
    text = str_from(ret_peer);
    if (str_starts_with(text, str_lit("::ffff:"))) {
        memmove(ret_peer, ret_peer + 7, text.len - 6);
    }
}

static Slot *take_slot(HttpServer *server) {
    for (size_t i = server->free_from; i < server->n_slots; i++) {
        if (!server->slots[i].used) {
            server->n_used++;
            server->free_from = i + 1;
            return &server->slots[i];
        }
    }
    return NULL;
}

void connection_notify(void *userdata, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code) {
    HttpServer *server = userdata;
    Slot *slot = *socket_context;

    pthread_mutex_lock(&server->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        slot = take_slot(server);
        if (slot) {
            *slot = (Slot){
                .server = server,
                .used = true,
                .generation = slot->generation + 1,
                .fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                          ->connect_fd,
                .since_ms = clock_mono_ms(),
            };
        }
        *socket_context = slot;
        if (slot) {
            numeric_peer(connection, slot->peer);
            watcher_add(server, slot->fd, connection_watch_id(server, slot));
        }
    } else if (slot) {
        /* Not left to close(): a lingering duplicate would keep it registered. */
        watcher_remove(server, slot->fd);
        slot->used = false;
        server->n_used--;
        server->free_from = MIN(server->free_from, (size_t)(slot - server->slots));
        watcher_wake(server);
    }
    pthread_mutex_unlock(&server->lock);
}

void connection_begin(HttpServer *server, Slot *slot, HttpRequest *request) {
    pthread_mutex_lock(&server->lock);
    slot->request = request;
    server->n_requests++;
    pthread_mutex_unlock(&server->lock);
    if (server->in_flight) {
        metric_add(server->in_flight, 1);
    }
}

void connection_end(HttpServer *server, Slot *slot, bool linger) {
    pthread_mutex_lock(&server->lock);
    slot->request = NULL;
    slot->served = true;
    slot->since_ms = clock_mono_ms();
    if (linger) {
        watcher_linger(server, slot->fd);
    }
    if (--server->n_requests == 0) {
        pthread_cond_broadcast(&server->idle);
    }
    pthread_mutex_unlock(&server->lock);
    if (server->in_flight) {
        metric_add(server->in_flight, -1);
    }
}

uint64_t connection_watch_id(HttpServer *server, const Slot *slot) {
    return (uint64_t)slot->generation << 32 | (uint32_t)(slot - server->slots);
}

HttpRequest *connection_request(HttpServer *server, uint64_t watch_id) {
    const Slot *slot = &server->slots[(uint32_t)watch_id];
    HttpRequest *request = NULL;

    pthread_mutex_lock(&server->lock);
    if (slot->used && slot->request && connection_watch_id(server, slot) == watch_id) {
        request = request_ref(slot->request);
    }
    pthread_mutex_unlock(&server->lock);
    return request;
}

void connection_hung(HttpServer *server, uint64_t watch_id) {
    Slot *slot = &server->slots[(uint32_t)watch_id];

    pthread_mutex_lock(&server->lock);
    if (slot->used && connection_watch_id(server, slot) == watch_id) {
        slot->hung = true;
    }
    pthread_mutex_unlock(&server->lock);
}

HttpRequest *connection_next_late(HttpServer *server, uint64_t now_ms, size_t *at) {
    HttpRequest *late = NULL;

    pthread_mutex_lock(&server->lock);
    for (; *at < server->n_slots && !late; (*at)++) {
        Slot *slot = &server->slots[*at];
        unsigned limit_s =
            slot->served ? server->options.idle_timeout_s : server->options.receive_timeout_s;
        if (slot->used && slot->hung) {
            /* The library polls edges and misses an end that came together with the last data.
             * This changes nothing but wakes it once more. */
            shutdown(slot->fd, SHUT_RD);
        }
        if (!slot->used || slot->late) {
            continue;
        }
        if (slot->request) {
            if (now_ms > atomic_load(&slot->request->deadline_ms)) {
                atomic_store(&slot->request->deadline_ms, UINT64_MAX); /* told once */
                late = request_ref(slot->request);
            }
        } else if (now_ms > slot->since_ms + (uint64_t)limit_s * 1000) {
            slot->late = true;
            shutdown(slot->fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&server->lock);
    return late;
}

void connection_each(HttpServer *server, void (*visit)(HttpRequest *request)) {
    for (size_t i = 0; i < server->n_slots; i++) {
        HttpRequest *request = NULL;
        pthread_mutex_lock(&server->lock);
        if (server->slots[i].used && server->slots[i].request) {
            request = request_ref(server->slots[i].request);
        }
        pthread_mutex_unlock(&server->lock);
        if (request) {
            visit(request);
            request_unref(request);
        }
    }
}
