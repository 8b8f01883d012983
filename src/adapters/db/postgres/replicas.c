/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/replicas.h"

#include "adapters/db/postgres/postgres.h"
#include "base/clock.h"
#include "base/error.h"

#include <assert.h>
#include <pthread.h>

#define DOWN_MS   1000 /* until a replica that could not be reached is tried again */
#define BEHIND_MS 20   /* until one that lagged is asked again how far it is */

typedef struct Replica {
    PgPool *pool;
    uint64_t not_before_ms; /* of clock_mono_ms() */
    uint64_t behind_until_ms;
    WalPosition replayed; /* seen last; where it restarted it may have gone back, so only a hint */
} Replica;

struct Replicas {
    pthread_mutex_t lock;
    size_t n, next;
    uint64_t n_down;
    Replica all[DB_POSTGRES_REPLICAS_MAX];
};

Replicas *replicas_new(void) {
    Replicas *replicas = calloc(1, sizeof(*replicas));

    if (!replicas) {
        abort();
    }
    pthread_mutex_init(&replicas->lock, NULL);
    return replicas;
}

Replicas *replicas_free(Replicas *replicas) {
    if (replicas) {
        for (size_t i = 0; i < replicas->n; i++) {
            pg_pool_free(replicas->all[i].pool);
        }
        pthread_mutex_destroy(&replicas->lock);
        free(replicas);
    }
    return NULL;
}

void replicas_add(Replicas *replicas, PgPool *pool) {
    assert(replicas->n < DB_POSTGRES_REPLICAS_MAX);
    replicas->all[replicas->n++].pool = pool;
}

/*
 * Whether to try it now. One that was down is tried by one thread alone: until that one knows,
 * the others go past it.
 */
static bool claim(Replicas *replicas, size_t index, WalPosition after) {
    Replica *replica = &replicas->all[index];
    uint64_t now = clock_mono_ms();
    bool claimed;

    pthread_mutex_lock(&replicas->lock);
    claimed = now >= replica->not_before_ms &&
              (now >= replica->behind_until_ms || wal_position_covers(replica->replayed, after));
    if (claimed && replica->not_before_ms > 0) {
        replica->not_before_ms = now + DOWN_MS;
    }
    pthread_mutex_unlock(&replicas->lock);
    return claimed;
}

static void mark_down(Replicas *replicas, Replica *replica) {
    pthread_mutex_lock(&replicas->lock);
    replica->not_before_ms = clock_mono_ms() + DOWN_MS;
    replicas->n_down++;
    pthread_mutex_unlock(&replicas->lock);
}

bool replicas_take(Replicas *replicas, WalPosition after, PgConnection **ret_connection,
                   size_t *ret_index) {
    size_t first;

    pthread_mutex_lock(&replicas->lock);
    first = replicas->next++;
    pthread_mutex_unlock(&replicas->lock);
    for (size_t i = 0; i < replicas->n; i++) {
        size_t index = (first + i) % replicas->n;
        int r;

        if (!claim(replicas, index, after)) {
            continue;
        }
        r = pg_pool_take(replicas->all[index].pool, 0, ret_connection);
        if (r == 0) {
            *ret_index = index;
            return true;
        }
        if (r != -EBUSY) {
            mark_down(replicas, &replicas->all[index]);
        }
    }
    return false;
}

void replicas_give(Replicas *replicas, size_t index, PgConnection *connection, ReplicaSeen seen) {
    Replica *replica = &replicas->all[index];

    if (seen == REPLICA_DOWN) {
        mark_down(replicas, replica);
    } else {
        pthread_mutex_lock(&replicas->lock);
        replica->not_before_ms = 0;
        replica->replayed = connection->replayed;
        replica->behind_until_ms = seen == REPLICA_BEHIND ? clock_mono_ms() + BEHIND_MS : 0;
        pthread_mutex_unlock(&replicas->lock);
    }
    pg_pool_give(replica->pool, connection);
}

uint64_t replicas_n_connects(Replicas *replicas) {
    uint64_t n = 0;

    for (size_t i = 0; i < replicas->n; i++) {
        n += pg_pool_n_connects(replicas->all[i].pool);
    }
    return n;
}

uint64_t replicas_n_down(Replicas *replicas) {
    uint64_t n;

    pthread_mutex_lock(&replicas->lock);
    n = replicas->n_down;
    pthread_mutex_unlock(&replicas->lock);
    return n;
}
