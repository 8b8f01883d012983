/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A thread that holds the server's event stream open and rings when anything comes: what it is, the
 * next round asks for. It comes back by itself, more slowly the longer the server is away.
 */

#include "app/sync_dir/sync_link.h"

#include <stdatomic.h>

typedef struct Listener {
    SyncLinkServer *server;
    int bell_fd; /* an eventfd: readable when there is news, and when the server is back */
    int stop_fd;
    atomic_bool deaf;    /* the last try was given no stream */
    atomic_llong cursor; /* set by whoever asks for changes: from there on the stream tells */
    pthread_t thread;
    bool runs;
} Listener;

/* 0 or a fault. The server outlives the listener; both end when server->stop_fd is readable. */
int listener_start(Listener *listener, SyncLinkServer *server);
void listener_join(Listener *listener);

/* Takes back the bell's sound; whether it had rung. */
bool listener_take(Listener *listener);

/* How long to wait before the n-th try (from 1 on): it doubles up to five minutes, less up to a
 * half by chance, so that devices do not all come back at once. */
uint32_t backoff_ms(unsigned n);
