/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The cache in Redis (6.0 or newer), which all processes of a service share. Connections are pooled
 * and bounded. The first fault opens a circuit breaker: from then on every call is answered -EIO at
 * once, without touching the network, while a thread of its own tries, ever more slowly, to reach
 * Redis again; when it answers, calls go through again.
 */

#include "base/crypto/tls.h"
#include "base/metrics.h"
#include "core/ports/cache.h"
#include "core/ports/trouble.h"

#define CACHE_REDIS_PREFIX_LEN_MAX 64

typedef struct CacheRedisOptions {
    const char *url;          /* see redis_url_parse() in url.h */
    const char *prefix;       /* of every key; at most CACHE_REDIS_PREFIX_LEN_MAX bytes */
    unsigned connections_max; /* at least 1; calls beyond it wait for a connection */
    uint32_t timeout_ms;      /* at least 1; of one call with all that it waits for */
    TlsFiles files;           /* with TLS; read again when Redis was away */
    TroubleFn *tell;          /* or NULL */
    Metrics *metrics;         /* outlives the cache; or NULL */
} CacheRedisOptions;

/*
 * Waits for a first answer of Redis, for timeout_ms at most, but does without it: 0 also when
 * Redis cannot be reached yet. -EINVAL with a sentence without secrets in *reterr_text when the
 * options are wrong; -ENOMEM. cache_free() may wait for a name look-up under way.
 */
int cache_redis_new(const CacheRedisOptions *options, Cache **ret_cache, const char **reterr_text);
