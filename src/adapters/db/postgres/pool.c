/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/pool.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

#include <pthread.h>

struct PgPool {
    Conninfo conninfo;
    unsigned size;
    Trouble trouble;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    PgConnection *idle; /* the one used last comes first */
    unsigned n_open;    /* idle, lent or being made */
    uint64_t n_connects;
};

PgPool *pg_pool_new(Conninfo *conninfo, unsigned size, const char *server, TroubleFn *tell) {
    PgPool *pool = calloc(1, sizeof(*pool));

    if (!pool) {
        abort();
    }
    pool->conninfo = *conninfo;
    *conninfo = (Conninfo){0};
    pool->size = size;
    pool->trouble = (Trouble){.server = server, .tell = tell};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->freed, NULL);
    return pool;
}

static void free_all(PgConnection *connections) {
    for (PgConnection *next; connections; connections = next) {
        next = connections->next;
        pg_connection_free(connections);
    }
}

PgPool *pg_pool_free(PgPool *pool) {
    if (pool) {
        free_all(pool->idle);
        pthread_cond_destroy(&pool->freed);
        pthread_mutex_destroy(&pool->lock);
        conninfo_done(&pool->conninfo);
        free(pool);
    }
    return NULL;
}

/* An idle connection, or NULL with the right to make one. */
static int take_place(PgPool *pool, uint64_t deadline_ms, PgConnection **ret_idle) {
    int r = 0;

    pthread_mutex_lock(&pool->lock);
    while (!pool->idle && pool->n_open >= pool->size && r == 0) {
        r = wait_until(&pool->freed, &pool->lock, deadline_ms) ? 0 : -EBUSY;
    }
    if (pool->idle) {
        *ret_idle = pool->idle;
        pool->idle = pool->idle->next;
        r = 0;
    } else if (pool->n_open < pool->size) {
        pool->n_open++;
        *ret_idle = NULL;
        r = 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return r;
}

static void leave_place(PgPool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->n_open--;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

int pg_pool_take(PgPool *pool, unsigned wait_ms, PgConnection **ret_connection) {
    uint64_t deadline_ms = clock_mono_ms() + wait_ms;

    for (;;) {
        PgConnection *connection;
        int r = take_place(pool, deadline_ms, &connection);

        if (r < 0) {
            return r;
        }
        if (connection && pg_connection_is_alive(connection)) {
            *ret_connection = connection;
            return 0;
        }
        if (connection) {
            pg_connection_free(connection);
            leave_place(pool);
            continue;
        }
        r = pg_connection_new(&pool->conninfo, &pool->trouble, &connection);
        if (r < 0) {
            leave_place(pool);
            return r;
        }
        pthread_mutex_lock(&pool->lock);
        pool->n_connects++;
        pthread_mutex_unlock(&pool->lock);
        *ret_connection = connection;
        return 0;
    }
}

void pg_pool_give(PgPool *pool, PgConnection *connection) {
    PgConnection *closed = NULL;

    pthread_mutex_lock(&pool->lock);
    connection->next = pool->idle;
    pool->idle = connection;
    if (connection->broken) {
        closed = TAKE_PTR(pool->idle);
        for (const PgConnection *each = closed; each; each = each->next) {
            pool->n_open--;
        }
        pthread_cond_broadcast(&pool->freed);
    } else {
        pthread_cond_signal(&pool->freed);
    }
    pthread_mutex_unlock(&pool->lock);
    free_all(closed);
}

uint64_t pg_pool_n_connects(PgPool *pool) {
    uint64_t n;

    pthread_mutex_lock(&pool->lock);
    n = pool->n_connects;
    pthread_mutex_unlock(&pool->lock);
    return n;
}
