/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/redis.h"

#include "adapters/cache/redis/pool.h"
#include "core/ports/cache_impl.h"

#include <assert.h>
#include <stdio.h>

/* Of a number of 64 bits, with its end. */
#define NUMBER_SIZE  24
#define COMMANDS_MAX 4

typedef struct CacheRedis {
    Cache cache;
    Arena *arena; /* of the URL */
    RedisPool *pool;
    Str prefix;
    Metric *hits, *misses;
} CacheRedis;

/* A key with the prefix before it. */
typedef struct FullKey {
    char bytes[CACHE_REDIS_PREFIX_LEN_MAX + CACHE_KEY_LEN_MAX];
    size_t len;
} FullKey;

static CacheRedis *redis_of(Cache *cache) {
    return (CacheRedis *)cache;
}

static Str full_key(const CacheRedis *self, Str key, FullKey *full) {
    memcpy(full->bytes, self->prefix.ptr, self->prefix.len);
    memcpy(full->bytes + self->prefix.len, key.ptr, key.len);
    full->len = self->prefix.len + key.len;
    return (Str){full->bytes, full->len};
}

static Str number(char buffer[NUMBER_SIZE], uint64_t value) {
    int len = snprintf(buffer, NUMBER_SIZE, "%llu", (unsigned long long)value);
    return (Str){buffer, (size_t)len};
}

static void reply_freep(redisReply **reply) {
    if (*reply) {
        freeReplyObject(*reply);
    }
}

/* The error of a reply, also of one in a transaction's; NULL when there is none. */
static const char *error_of(const redisReply *reply) {
    const char *error = reply->type == REDIS_REPLY_ERROR ? reply->str : NULL;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && !error; i++) {
        error = error_of(reply->element[i]);
    }
    return error;
}

/* What Redis says of a counter that is none or would overflow: our mistake, not its state. */
static bool is_no_counter(const char *error) {
    static const char *const ours[] = {"WRONGTYPE", "ERR value is not an integer",
                                       "ERR increment or decrement would overflow"};

    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (str_starts_with(str_from(error), str_from(ours[i]))) {
            return true;
        }
    }
    return false;
}

/* All commands in one go; the last one's reply. 0, -EINVAL or -EIO. */
static int call(CacheRedis *self, const RedisCommand *commands, size_t n, redisReply **ret_reply) {
    redisReply *replies[COMMANDS_MAX] = {NULL};
    const char *error = NULL;
    int r;

    assert(n <= COMMANDS_MAX);
    r = redis_pool_call(self->pool, commands, n, replies);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n && !error; i++) {
        error = error_of(replies[i]);
    }
    if (error && is_no_counter(error)) {
        r = -EINVAL;
    } else if (error) {
        redis_pool_refused(self->pool, error);
        r = -EIO;
    }
    for (size_t i = 0; i < n; i++) {
        if (r == 0 && i == n - 1) {
            *ret_reply = replies[i];
        } else {
            freeReplyObject(replies[i]);
        }
    }
    return r;
}

static int get(Cache *cache, Str key, Arena *arena, Str *ret_value) {
    CacheRedis *self = redis_of(cache);
    _cleanup_(reply_freep) redisReply *reply = NULL;
    FullKey full;
    int r = cache_check_key(key);

    if (r == 0) {
        r = call(self, &(RedisCommand){2, {str_lit("GET"), full_key(self, key, &full)}}, 1, &reply);
    }
    if (r < 0) {
        return r;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        if (self->misses) {
            metric_add(self->misses, 1);
        }
        return CACHE_E_MISS;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len > CACHE_VALUE_LEN_MAX) {
        return err_trace(-EIO);
    }
    if (self->hits) {
        metric_add(self->hits, 1);
    }
    *ret_value = (Str){arena_strdup(arena, (Str){reply->str, reply->len}), reply->len};
    return 0;
}

/* SET key value PX ttl [NX] */
static int set(Cache *cache, Str key, Str value, uint32_t ttl_ms, bool only_new) {
    CacheRedis *self = redis_of(cache);
    _cleanup_(reply_freep) redisReply *reply = NULL;
    char ttl[NUMBER_SIZE];
    FullKey full;
    RedisCommand command;
    int r = cache_check_entry(key, value, ttl_ms);

    if (r < 0) {
        return err_trace(r);
    }
    command = (RedisCommand){only_new ? 6 : 5,
                             {str_lit("SET"), full_key(self, key, &full), value, str_lit("PX"),
                              number(ttl, ttl_ms), str_lit("NX")}};
    r = call(self, &command, 1, &reply);
    if (r < 0) {
        return r;
    }
    return reply->type == REDIS_REPLY_NIL ? CACHE_E_EXISTS : 0;
}

static int put(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    return set(cache, key, value, ttl_ms, false);
}

static int add(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    return set(cache, key, value, ttl_ms, true);
}

static int raise_value(Cache *cache, Str key, Str value, uint32_t ttl_ms) {
    static const Str script = str_lit("local there = redis.call('GET', KEYS[1]) "
                                      "if not there or there <= ARGV[1] then "
                                      "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end "
                                      "return 1");
    CacheRedis *self = redis_of(cache);
    _cleanup_(reply_freep) redisReply *reply = NULL;
    char ttl[NUMBER_SIZE];
    FullKey full;
    int r = cache_check_entry(key, value, ttl_ms);

    if (r < 0) {
        return err_trace(r);
    }
    return call(self,
                &(RedisCommand){6,
                                {str_lit("EVAL"), script, str_lit("1"), full_key(self, key, &full),
                                 value, number(ttl, ttl_ms)}},
                1, &reply);
}

static int drop(Cache *cache, Str key) {
    CacheRedis *self = redis_of(cache);
    _cleanup_(reply_freep) redisReply *reply = NULL;
    FullKey full;
    int r = cache_check_key(key);

    if (r < 0) {
        return err_trace(r);
    }
    return call(self, &(RedisCommand){2, {str_lit("DEL"), full_key(self, key, &full)}}, 1, &reply);
}

static int read_count(CacheRedis *self, Str key, uint64_t *ret_count) {
    _cleanup_(reply_freep) redisReply *reply = NULL;
    uint64_t count = 0;
    int r = call(self, &(RedisCommand){2, {str_lit("GET"), key}}, 1, &reply);

    if (r < 0) {
        return r;
    }
    if (reply->type == REDIS_REPLY_STRING &&
        (str_to_u64((Str){reply->str, reply->len}, &count) < 0 || count > CACHE_COUNT_MAX)) {
        return err_trace(-EINVAL);
    }
    *ret_count = count;
    return 0;
}

/*
 * A new counter is set to 0 with its time to live, then counted on, which leaves that as it is.
 * In a transaction, so that it cannot end between the two and come back without an end.
 */
static int count(Cache *cache, Str key, uint64_t by, uint32_t ttl_ms, uint64_t *ret_count) {
    CacheRedis *self = redis_of(cache);
    _cleanup_(reply_freep) redisReply *reply = NULL;
    char ttl[NUMBER_SIZE], step[NUMBER_SIZE];
    FullKey full;
    int r = cache_check_count(key, by, ttl_ms);

    if (r < 0) {
        return err_trace(r);
    }
    key = full_key(self, key, &full);
    if (by == 0) {
        return read_count(self, key, ret_count);
    }
    r = call(self,
             (const RedisCommand[]){{1, {str_lit("MULTI")}},
                                    {6,
                                     {str_lit("SET"), key, str_lit("0"), str_lit("PX"),
                                      number(ttl, ttl_ms), str_lit("NX")}},
                                    {3, {str_lit("INCRBY"), key, number(step, by)}},
                                    {1, {str_lit("EXEC")}}},
             4, &reply);
    if (r < 0) {
        return r;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_INTEGER || reply->element[1]->integer < 0) {
        return err_trace(-EIO);
    }
    *ret_count = (uint64_t)reply->element[1]->integer;
    return 0;
}

static Cache *redis_free(Cache *cache) {
    CacheRedis *self = redis_of(cache);

    redis_pool_free(self->pool);
    arena_free(self->arena);
    free(self);
    return NULL;
}

static const CacheImpl redis_impl = {
    .get = get,
    .put = put,
    .add = add,
    .raise = raise_value,
    .remove = drop,
    .count = count,
    .free = redis_free,
};

int cache_redis_new(const CacheRedisOptions *options, Cache **ret_cache, const char **reterr_text) {
    _cleanup_(cache_freep) Cache *cache = NULL;
    CacheRedis *self = calloc(1, sizeof(*self));
    RedisPoolOptions pool = {.connections_max = options->connections_max,
                             .timeout_ms = options->timeout_ms,
                             .tell = options->tell,
                             .metrics = options->metrics};
    int r;

    if (!self) {
        return err_trace(-ENOMEM);
    }
    self->cache.impl = &redis_impl;
    self->arena = arena_new();
    cache = &self->cache;
    r = redis_url_parse(options->url, self->arena, &pool.url, reterr_text);
    if (r < 0) {
        return err_trace(r);
    }
    if (strlen(options->prefix) > CACHE_REDIS_PREFIX_LEN_MAX || options->connections_max == 0 ||
        options->timeout_ms == 0) {
        *reterr_text = "the prefix is too long, or the connections or the time-out are 0";
        return err_trace(-EINVAL);
    }
    self->prefix = str_from(arena_strdup(self->arena, str_from(options->prefix)));
    if (options->metrics) {
        self->hits = metrics_counter(options->metrics, "imagesync_cache_hits_total", "",
                                     "Look-ups that the cache answered");
        self->misses = metrics_counter(options->metrics, "imagesync_cache_misses_total", "",
                                       "Look-ups of what the cache did not have");
    }
    pool.files = tls_files_copy(&options->files, self->arena);
    r = redis_pool_new(&pool, &self->pool);
    if (r < 0) {
        *reterr_text = r == -EINVAL ? TLS_FILES_TEXT : "Redis cannot be set up";
        return err_trace(r);
    }
    *ret_cache = TAKE_PTR(cache);
    return 0;
}
