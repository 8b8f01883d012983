/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A bounded pool of reading connections, opened as they are needed. Thread-safe. */

#include "adapters/db/sqlite/connection.h"

#include <pthread.h>

typedef struct Readers {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    const char *path; /* borrowed */
    Connection *idle;
    unsigned n_open, max;
    uint32_t wait_timeout_ms;
} Readers;

int readers_init(Readers *readers, const char *path, unsigned max, uint32_t wait_timeout_ms);
void readers_done(Readers *readers);

/* A connection of one's own until it is given back. -EBUSY when none was free in time. */
int readers_take(Readers *readers, Connection **ret_connection);
/* One that is not `sound` is closed and makes room for a new one. */
void readers_give_back(Readers *readers, Connection *connection, bool sound);
