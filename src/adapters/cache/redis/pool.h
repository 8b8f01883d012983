/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Connections to one Redis, at most so many, and the circuit breaker before them: see redis.h.
 * Thread-safe.
 */

#include "adapters/cache/redis/connection.h"
#include "base/metrics.h"
#include "core/ports/trouble.h"

typedef struct RedisPool RedisPool;

typedef struct RedisPoolOptions {
    RedisUrl url; /* its strings outlive the pool */
    unsigned connections_max;
    uint32_t timeout_ms;
    TlsFiles files;   /* outlive the pool */
    TroubleFn *tell;  /* or NULL */
    Metrics *metrics; /* or NULL */
} RedisPoolOptions;

/* 0; or -EINVAL (a file cannot be used), -ENOMEM, -EAGAIN (no thread). Waits for timeout_ms at
 * most for a first answer of Redis. */
int redis_pool_new(const RedisPoolOptions *options, RedisPool **ret_pool);
RedisPool *redis_pool_free(RedisPool *pool); /* accepts NULL; no call may be under way */
DEFINE_CLEANUP(RedisPool *, redis_pool_free)

/*
 * As redis_connection_call(), on a connection of the pool, in timeout_ms with all waiting. 0 with
 * the replies; or -EIO, at once while the breaker is open.
 */
int redis_pool_call(RedisPool *pool, const RedisCommand *commands, size_t n,
                    redisReply **ret_replies);
/* The error that Redis replied to a call is counted, and when it says that this server can do
 * nothing for us now, the breaker opens. */
void redis_pool_refused(RedisPool *pool, const char *error);
