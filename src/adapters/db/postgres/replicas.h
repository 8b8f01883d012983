/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which replica a read goes to: in turn, past those that are down or were seen too far behind a
 * moment ago. Thread-safe.
 */

#include "adapters/db/postgres/pool.h"

typedef struct Replicas Replicas;

Replicas *replicas_new(void);
Replicas *replicas_free(Replicas *replicas);
DEFINE_CLEANUP(Replicas *, replicas_free)

/* Takes over the pool. */
void replicas_add(Replicas *replicas, PgPool *pool);

/*
 * A connection to a replica that may well have replayed `after`, without waiting for one that is
 * busy. False when there is none: the primary it is then. *ret_index goes back with what follows.
 */
bool replicas_take(Replicas *replicas, WalPosition after, PgConnection **ret_connection,
                   size_t *ret_index);

typedef enum ReplicaSeen {
    REPLICA_GOOD,
    REPLICA_BEHIND, /* not asked for a while, except for what it is known to have */
    REPLICA_DOWN,   /* not asked for a while at all */
} ReplicaSeen;

/* Gives the connection back, and says what was seen of the replica. */
void replicas_give(Replicas *replicas, size_t index, PgConnection *connection, ReplicaSeen seen);

uint64_t replicas_n_connects(Replicas *replicas);
uint64_t replicas_n_down(Replicas *replicas);
