/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/pool.h"

#include "base/clock.h"
#include "base/crypto/tls.h"
#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>

/* Between tries to reach a Redis that is down: doubled each time, and the half of it at random, so
 * that the processes of a service do not all come at once. */
#define RETRY_MS_MIN 50
#define RETRY_MS_MAX 2000
/* Whoever was up for less has not recovered, and is not tried at once. */
#define STEADY_MS 5000

typedef struct Lent {
    RedisConnection *connection;
    uint64_t generation;
} Lent;

struct RedisPool {
    RedisPoolOptions options;
    pthread_mutex_t mutex; /* all below */
    pthread_cond_t freed;  /* a connection may be had, or there is no use in waiting */
    pthread_cond_t broken; /* work for the thread that reconnects */
    pthread_t reconnecter;
    bool started;

    RedisConnection **idle; /* connections_max of room; the last is the one used last */
    unsigned n_idle, n_open;
    RedisWay way; /* what led there last */
    bool up, tried, stopping;
    /* Counts how often the breaker opened, so that a fault of a connection from before does not
     * open it again. */
    uint64_t generation;
    uint64_t up_since_ms;
    uint32_t retry_ms;

    Trouble trouble;
    Metric *up_metric, *connections, *errors_down, *errors_busy, *errors_lost, *errors_refused;
};

static uint64_t deadline_of(const RedisPool *pool) {
    return clock_mono_us() + (uint64_t)pool->options.timeout_ms * 1000;
}

static void fault(Metric *reason) {
    if (reason) {
        metric_add(reason, 1);
    }
}

static void show_state(const RedisPool *pool) {
    if (pool->up_metric) {
        metric_set(pool->up_metric, pool->up);
        metric_set(pool->connections, pool->n_open);
    }
}

/* Everything below, up to the thread, is called with the mutex held. */

static void close_idle(RedisPool *pool) {
    pool->n_open -= pool->n_idle;
    while (pool->n_idle > 0) {
        redis_connection_free(pool->idle[--pool->n_idle]);
    }
}

static void open_breaker(RedisPool *pool, uint64_t generation) {
    if (!pool->up || generation != pool->generation) {
        return;
    }
    pool->up = false;
    pool->generation++;
    if (clock_mono_ms() - pool->up_since_ms >= STEADY_MS) {
        pool->retry_ms = 0;
    }
    close_idle(pool);
    show_state(pool);
    pthread_cond_broadcast(&pool->freed);
    pthread_cond_signal(&pool->broken);
}

static void close_breaker(RedisPool *pool, RedisConnection *connection, RedisWay *way) {
    RedisWay before = pool->way;

    pool->up = true;
    pool->up_since_ms = clock_mono_ms();
    pool->way = *way;
    *way = before;
    /* Those that were lent when it broke may still count. */
    if (pool->n_open < pool->options.connections_max) {
        pool->n_open++;
        pool->idle[pool->n_idle++] = TAKE_PTR(connection);
    }
    redis_connection_free(connection);
    show_state(pool);
    pthread_cond_broadcast(&pool->freed);
}

/* Waits before the next try; ends early when the pool does. */
static void wait_to_retry(RedisPool *pool) {
    uint32_t half = pool->retry_ms / 2;

    if (pool->retry_ms > 0) {
        uint64_t until_ms = clock_mono_ms() + half + arc4random_uniform(half + 1);
        while (!pool->stopping && wait_until(&pool->broken, &pool->mutex, until_ms)) {
        }
    }
    pool->retry_ms = CLAMP(pool->retry_ms * 2, RETRY_MS_MIN, RETRY_MS_MAX);
}

static void try_to_reconnect(RedisPool *pool) {
    const RedisUrl *url = &pool->options.url;
    RedisConnection *connection = NULL;
    RedisWay way = {.url = url};
    const char *reason = NULL;
    int r;

    pthread_mutex_unlock(&pool->mutex);
    /* The file is read again, as it may be another by now; and the name is looked up again, as it
     * may lead elsewhere after a failover. */
    r = redis_trust(url, &pool->options.files, &way.tls);
    if (r < 0) {
        reason = TLS_FILES_TEXT;
    } else {
        r = redis_resolve(url, &way.addresses);
    }
    if (r == 0) {
        r = redis_connection_open(&way, deadline_of(pool), &connection, &reason);
    }
    log_debug("redis tried", LOG_INT("fault", r));
    if (r == 0 || reason) {
        trouble_set(&pool->trouble, reason);
    }
    pthread_mutex_lock(&pool->mutex);
    pool->tried = true;
    if (r == 0) {
        close_breaker(pool, connection, &way);
    } else {
        pthread_cond_broadcast(&pool->freed);
    }
    SSL_CTX_free(way.tls);
}

static void *reconnect(void *userdata) {
    RedisPool *pool = userdata;

    pthread_mutex_lock(&pool->mutex);
    while (!pool->stopping) {
        if (pool->up) {
            pthread_cond_wait(&pool->broken, &pool->mutex);
            continue;
        }
        wait_to_retry(pool);
        if (!pool->stopping) {
            try_to_reconnect(pool);
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Takes a connection back, or what is left of it. */
static void give_back(RedisPool *pool, Lent lent, int r) {
    pthread_mutex_lock(&pool->mutex);
    if (r < 0) {
        open_breaker(pool, lent.generation);
    }
    if (r == 0 && lent.generation == pool->generation) {
        pool->idle[pool->n_idle++] = TAKE_PTR(lent.connection);
    } else {
        pool->n_open--;
        show_state(pool);
    }
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
    redis_connection_free(lent.connection);
}

/* A connection that lay idle or none, for which there is room; -EIO. */
static int take(RedisPool *pool, uint64_t deadline_us, Lent *ret_lent) {
    Metric *reason = NULL;
    bool late = false;

    pthread_mutex_lock(&pool->mutex);
    while (pool->up && !late && pool->n_idle == 0 &&
           pool->n_open >= pool->options.connections_max) {
        late = !wait_until(&pool->freed, &pool->mutex, deadline_us / 1000);
    }
    *ret_lent = (Lent){.generation = pool->generation};
    if (!pool->up) {
        reason = pool->errors_down;
    } else if (pool->n_idle > 0) {
        ret_lent->connection = pool->idle[--pool->n_idle];
        late = false;
    } else if (pool->n_open < pool->options.connections_max) {
        pool->n_open++;
        show_state(pool);
        late = false;
    } else {
        reason = pool->errors_busy;
    }
    late = late || !pool->up;
    pthread_mutex_unlock(&pool->mutex);
    fault(reason);
    return late ? -EIO : 0;
}

static int open_one(RedisPool *pool, uint64_t deadline_us, RedisConnection **ret_connection) {
    const char *reason; /* is told by the thread that reconnects */
    RedisWay way;
    int r;

    pthread_mutex_lock(&pool->mutex);
    way = pool->way;
    if (way.tls) {
        SSL_CTX_up_ref(way.tls);
    }
    pthread_mutex_unlock(&pool->mutex);
    r = redis_connection_open(&way, deadline_us, ret_connection, &reason);
    SSL_CTX_free(way.tls);
    return r;
}

/* A connection that works as far as can be seen: one that Redis closed while it lay idle is opened
 * anew, and the call does not notice. */
static int take_fresh(RedisPool *pool, uint64_t deadline_us, Lent *ret_lent) {
    Lent lent;
    int r = take(pool, deadline_us, &lent);

    if (r < 0) {
        return r;
    }
    if (lent.connection && !redis_connection_fresh(lent.connection)) {
        redis_connection_free(TAKE_PTR(lent.connection));
    }
    if (!lent.connection) {
        r = open_one(pool, deadline_us, &lent.connection);
        if (r < 0) {
            give_back(pool, lent, r);
            fault(pool->errors_lost);
            return -EIO;
        }
    }
    *ret_lent = lent;
    return 0;
}

int redis_pool_call(RedisPool *pool, const RedisCommand *commands, size_t n,
                    redisReply **ret_replies) {
    uint64_t deadline_us = deadline_of(pool);
    Lent lent;
    int r = take_fresh(pool, deadline_us, &lent);

    if (r < 0) {
        /* No trace: while it is down this is every call's way. */
        return r;
    }
    r = redis_connection_call(lent.connection, commands, n, deadline_us, ret_replies);
    give_back(pool, lent, r);
    if (r < 0) {
        log_debug("redis lost", LOG_INT("fault", r));
        fault(pool->errors_lost);
        return -EIO;
    }
    return 0;
}

void redis_pool_refused(RedisPool *pool, const char *error) {
    /* A replica after a failover, a server that starts, and one without its primary. */
    static const char *const unusable[] = {"READONLY", "LOADING", "MASTERDOWN"};

    log_debug("redis refused", LOG_STR("error", error));
    fault(pool->errors_refused);
    for (size_t i = 0; i < ARRAY_LEN(unusable); i++) {
        if (str_starts_with(str_from(error), str_from(unusable[i]))) {
            pthread_mutex_lock(&pool->mutex);
            open_breaker(pool, pool->generation);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static Metric *errors(Metrics *metrics, const char *labels) {
    return metrics_counter(metrics, "imagesync_cache_errors_total", labels,
                           "Calls to Redis that failed: it was down, all connections were in use, "
                           "the connection was lost or too slow, the command was refused");
}

static void register_metrics(RedisPool *pool, Metrics *metrics) {
    pool->up_metric = metrics_gauge(metrics, "imagesync_cache_up", "",
                                    "1 when Redis answers, 0 while the breaker keeps calls off it");
    pool->connections =
        metrics_gauge(metrics, "imagesync_cache_connections", "", "Connections to Redis");
    pool->errors_down = errors(metrics, "reason=\"down\"");
    pool->errors_busy = errors(metrics, "reason=\"busy\"");
    pool->errors_lost = errors(metrics, "reason=\"lost\"");
    pool->errors_refused = errors(metrics, "reason=\"refused\"");
}

/* The thread takes no signals: they are the process's to handle. */
static int start_thread(RedisPool *pool) {
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&pool->reconnecter, NULL, reconnect, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pool->started = r == 0;
    return -r;
}

int redis_pool_new(const RedisPoolOptions *options, RedisPool **ret_pool) {
    _cleanup_(redis_pool_freep) RedisPool *pool = calloc(1, sizeof(*pool));
    uint64_t until_ms;
    int r;

    if (!pool) {
        return err_trace(-ENOMEM);
    }
    pool->options = *options;
    pool->trouble = (Trouble){.server = "redis", .tell = options->tell};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->freed, NULL);
    pthread_cond_init(&pool->broken, NULL);
    pool->idle = calloc(options->connections_max, sizeof(RedisConnection *));
    if (!pool->idle) {
        return err_trace(-ENOMEM);
    }
    r = redis_trust(&options->url, &options->files, &pool->way.tls); /* wrong from the beginning */
    if (r < 0) {
        return err_trace(r);
    }
    if (options->metrics) {
        register_metrics(pool, options->metrics);
    }
    r = start_thread(pool);
    if (r < 0) {
        return err_trace(r);
    }
    until_ms = deadline_of(pool) / 1000;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->tried && wait_until(&pool->freed, &pool->mutex, until_ms)) {
    }
    pthread_mutex_unlock(&pool->mutex);
    *ret_pool = TAKE_PTR(pool);
    return 0;
}

RedisPool *redis_pool_free(RedisPool *pool) {
    if (!pool) {
        return NULL;
    }
    if (pool->started) {
        pthread_mutex_lock(&pool->mutex);
        pool->stopping = true;
        pthread_cond_signal(&pool->broken);
        pthread_mutex_unlock(&pool->mutex);
        pthread_join(pool->reconnecter, NULL);
    }
    close_idle(pool);
    free(pool->idle);
    SSL_CTX_free(pool->way.tls);
    pthread_cond_destroy(&pool->broken);
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
    return NULL;
}
