/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bytes to Redis and back, with or without TLS, each call by a deadline (clock_mono_us()). OpenSSL
 * sees memory only: the socket is ours to wait for, and writing to it raises no SIGPIPE. Not
 * thread-safe.
 */

#include "base/str.h"

#include <openssl/types.h>
#include <sys/socket.h>

typedef struct RedisSocket {
    int fd;   /* -1: none */
    SSL *tls; /* or NULL */
} RedisSocket;

#define REDIS_SOCKET_INIT                                                                          \
    (RedisSocket) {                                                                                \
        .fd = -1                                                                                   \
    }

/* 0, -ETIMEDOUT or the system's fault. */
int redis_socket_dial(RedisSocket *self, const struct sockaddr_storage *address, socklen_t len,
                      uint64_t deadline_us);
/*
 * TLS from here on, with a server that the context trusts (base/crypto/tls.h) and which is told the
 * `host` it is asked for. 0; -ETIMEDOUT; -ENOMEM; -EACCES: the certificate was refused, for the
 * reason that is written to `ret_refusal`; -EPROTO: it does not speak TLS; or as the others.
 */
int redis_socket_secure(RedisSocket *self, SSL_CTX *context, const char *host, uint64_t deadline_us,
                        int *ret_refusal);
void redis_socket_close(RedisSocket *self);

/* All of it. 0, -ETIMEDOUT, -EPROTO or the system's fault. */
int redis_socket_send(RedisSocket *self, Str out, uint64_t deadline_us);
/* At least a byte. How many; -ECONNRESET when the server has closed it, or as before. */
ssize_t redis_socket_receive(RedisSocket *self, void *in, size_t size, uint64_t deadline_us);

/* False when the server has closed it, or sent something since. */
bool redis_socket_is_quiet(const RedisSocket *self);
