/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One connection to Redis: commands out, replies in, in one go and by a deadline. hiredis writes
 * and reads the protocol; the socket is ours, because hiredis bounds each wait but not their sum,
 * and its write() ends the process with SIGPIPE. Not thread-safe.
 */

#include "adapters/cache/redis/url.h"
#include "base/crypto/tls.h"

#include <hiredis/hiredis.h>
#include <openssl/types.h>
#include <sys/socket.h>

#define REDIS_ADDRESSES_MAX 4
#define REDIS_ARGS_MAX      8

typedef struct RedisConnection RedisConnection;

/* What a host name stands for. */
typedef struct RedisAddresses {
    size_t n;
    struct {
        struct sockaddr_storage address;
        socklen_t len;
    } each[REDIS_ADDRESSES_MAX];
} RedisAddresses;

typedef struct RedisCommand {
    size_t n;
    Str args[REDIS_ARGS_MAX]; /* the name of the command first */
} RedisCommand;

/* Blocks for as long as the system's resolver does. 0 or -EHOSTUNREACH. */
int redis_resolve(const RedisUrl *url, RedisAddresses *ret_addresses);

/* What servers of the URL are trusted by; NULL when it asks for no TLS. The caller's to
 * SSL_CTX_free(). 0; -EINVAL: a file cannot be used; -ENOMEM. */
int redis_trust(const RedisUrl *url, const TlsFiles *files, SSL_CTX **ret_tls);

typedef struct RedisWay {
    const RedisUrl *url;
    RedisAddresses addresses;
    SSL_CTX *tls; /* or NULL */
} RedisWay;

/*
 * Connects, signs in and chooses the database by the deadline (clock_mono_us()). 0; -ETIMEDOUT;
 * -EACCES (certificate, user, password or database were refused, or Redis is not ready); or the
 * system's fault. `ret_reason`: a static sentence when an operator has to mend it, else NULL.
 */
int redis_connection_open(const RedisWay *way, uint64_t deadline_us,
                          RedisConnection **ret_connection, const char **ret_reason);
RedisConnection *redis_connection_free(RedisConnection *connection); /* accepts NULL */
DEFINE_CLEANUP(RedisConnection *, redis_connection_free)

/* False when Redis has closed it since, or said something that nobody asked for. */
bool redis_connection_fresh(const RedisConnection *connection);

/*
 * Sends `n` commands in one go and waits for as many replies, which the caller frees with
 * freeReplyObject(). An error that Redis replies with is a reply. 0; or -ETIMEDOUT, -ECONNRESET,
 * -EPROTO, -ENOMEM or the system's fault: then the connection is of no more use.
 */
int redis_connection_call(RedisConnection *connection, const RedisCommand *commands, size_t n,
                          uint64_t deadline_us, redisReply **ret_replies);
