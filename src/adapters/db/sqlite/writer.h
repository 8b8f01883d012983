/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Turns on the one connection that writes, and commits that several works share. */

#include "adapters/db/sqlite/connection.h"

#include <pthread.h>

typedef struct Turn Turn;
typedef struct Group Group;

typedef struct Writer {
    pthread_mutex_t lock;
    Connection *connection; /* used by whoever has the turn, without the lock */
    uint32_t wait_timeout_ms;
    bool taken;      /* somebody has the turn */
    pthread_t owner; /* who */
    Turn *first, *last;
    Group *group; /* the transaction that is open; NULL: none */
} Writer;

/* Takes the connection over on success. */
int writer_init(Writer *writer, Connection *connection, uint32_t wait_timeout_ms);
void writer_done(Writer *writer);

/* db_write(), without a token. */
int writer_write(Writer *writer, const DbImpl *impl, DbWork *work, void *userdata);
