/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/connection.h"

#include "adapters/cache/redis/socket.h"
#include "base/error.h"
#include "base/log.h"
#include "core/ports/cache.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define READ_SIZE 16384
/* All replies to one call: the largest value and what stands around it. */
#define REPLY_BYTES_MAX (CACHE_VALUE_LEN_MAX + (64u << 10))
#define HANDSHAKE_MAX   3

static void free_context(SSL_CTX **context) {
    SSL_CTX_free(*context);
}

struct RedisConnection {
    RedisSocket socket;
    redisReader *reader;
    Buf out;
};

int redis_trust(const RedisUrl *url, const TlsFiles *files, SSL_CTX **ret_tls) {
    _cleanup_(free_context) SSL_CTX *tls = url->tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    int r = url->tls && !tls ? -ENOMEM : 0;

    if (tls) {
        r = tls_trust(tls, files, url->host, NULL);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_tls = TAKE_PTR(tls);
    return 0;
}

int redis_resolve(const RedisUrl *url, RedisAddresses *ret_addresses) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    RedisAddresses addresses = {0};

    if (getaddrinfo(url->host, url->port, &hints, &list) != 0) {
        return -EHOSTUNREACH;
    }
    for (const struct addrinfo *at = list; at && addresses.n < REDIS_ADDRESSES_MAX;
         at = at->ai_next) {
        memcpy(&addresses.each[addresses.n].address, at->ai_addr, at->ai_addrlen);
        addresses.each[addresses.n++].len = at->ai_addrlen;
    }
    freeaddrinfo(list);
    *ret_addresses = addresses;
    return 0;
}

/* By the words that a server's errors begin with; it may also be one that is still loading. */
static const char *refusal_reason(const char *error) {
    static const char *const words[] = {"NOAUTH", "WRONGPASS", "ERR AUTH", "NOPERM"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_starts_with(str_from(error), str_from(words[i]))) {
            return "it refuses the user or the password, or does not let the user do what is "
                   "needed: look at cache";
        }
    }
    return NULL;
}

static int shake_hands(RedisConnection *self, const RedisUrl *url, uint64_t deadline_us,
                       const char **ret_reason) {
    RedisCommand commands[HANDSHAKE_MAX];
    redisReply *replies[HANDSHAKE_MAX];
    char database[16];
    size_t n = 0;
    int r;

    if (url->password.len > 0) {
        commands[n++] =
            url->user[0] ? (RedisCommand){3, {str_lit("AUTH"), str_from(url->user), url->password}}
                         : (RedisCommand){2, {str_lit("AUTH"), url->password}};
    }
    if (url->database > 0) {
        snprintf(database, sizeof(database), "%u", url->database);
        commands[n++] = (RedisCommand){2, {str_lit("SELECT"), str_from(database)}};
    }
    /* Says also whether the server wants a password, or is still loading. */
    commands[n++] = (RedisCommand){1, {str_lit("PING")}};
    r = redis_connection_call(self, commands, n, deadline_us, replies);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR) {
            log_debug("redis refused the connection", LOG_STR("error", replies[i]->str));
            *ret_reason = *ret_reason ? *ret_reason : refusal_reason(replies[i]->str);
            r = -EACCES;
        }
        freeReplyObject(replies[i]);
    }
    return r;
}

/* What to do when it was the TLS of it. */
static const char *tls_reason(int r, int refusal) {
    return r == -EACCES ? tls_refusal_text(refusal)
           : r == -EPROTO || r == -ECONNRESET
               ? "it does not speak TLS: give redis:// in cache, or the port where it does"
               : NULL;
}

static int reach(RedisConnection *self, const RedisWay *way, uint64_t deadline_us,
                 const char **ret_reason) {
    const RedisAddresses *addresses = &way->addresses;
    int r = -EHOSTUNREACH, refusal = 0;

    for (size_t i = 0; i < addresses->n && self->socket.fd < 0; i++) {
        r = redis_socket_dial(&self->socket, &addresses->each[i].address, addresses->each[i].len,
                              deadline_us);
    }
    if (r == 0 && way->tls) {
        r = redis_socket_secure(&self->socket, way->tls, way->url->host, deadline_us, &refusal);
        *ret_reason = tls_reason(r, refusal);
    }
    return r;
}

int redis_connection_open(const RedisWay *way, uint64_t deadline_us,
                          RedisConnection **ret_connection, const char **ret_reason) {
    _cleanup_(redis_connection_freep) RedisConnection *self = calloc(1, sizeof(*self));
    int r;

    *ret_reason = NULL;
    if (!self) {
        return err_trace(-ENOMEM);
    }
    self->socket = REDIS_SOCKET_INIT;
    self->reader = redisReaderCreate();
    if (!self->reader) {
        return err_trace(-ENOMEM);
    }
    r = reach(self, way, deadline_us, ret_reason);
    if (r == 0) {
        r = shake_hands(self, way->url, deadline_us, ret_reason);
        if (way->tls && r == -EPROTO) {
            /* By TLS 1.3 it is told only now. */
            *ret_reason = "it breaks TLS off as soon as it can be used: it may want a certificate "
                          "of ours; name one with client-certificate";
        }
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_connection = TAKE_PTR(self);
    return 0;
}

RedisConnection *redis_connection_free(RedisConnection *self) {
    if (self) {
        redis_socket_close(&self->socket);
        if (self->reader) {
            redisReaderFree(self->reader);
        }
        buf_done(&self->out);
        free(self);
    }
    return NULL;
}

bool redis_connection_fresh(const RedisConnection *self) {
    return redis_socket_is_quiet(&self->socket);
}

static int add_command(Buf *out, const RedisCommand *command) {
    const char *args[REDIS_ARGS_MAX];
    size_t lens[REDIS_ARGS_MAX];
    char *text;
    int len;

    for (size_t i = 0; i < command->n; i++) {
        args[i] = command->args[i].ptr;
        lens[i] = command->args[i].len;
    }
    len = redisFormatCommandArgv(&text, (int)command->n, args, lens);
    if (len < 0) {
        return -ENOMEM;
    }
    buf_add(out, text, (size_t)len);
    redisFreeCommand(text);
    return 0;
}

/* Gives the parser what has come, waiting for it by the deadline. */
static int feed(RedisConnection *self, uint64_t deadline_us, size_t *bytes) {
    char in[READ_SIZE];
    ssize_t n = redis_socket_receive(&self->socket, in, sizeof(in), deadline_us);

    if (n < 0) {
        return (int)n;
    }
    *bytes += (size_t)n;
    if (*bytes > REPLY_BYTES_MAX) {
        return -EPROTO;
    }
    return redisReaderFeed(self->reader, in, (size_t)n) == REDIS_OK ? 0 : -ENOMEM;
}

static int receive(RedisConnection *self, uint64_t deadline_us, size_t *bytes,
                   redisReply **ret_reply) {
    void *reply = NULL;
    int r;

    for (;;) {
        if (redisReaderGetReply(self->reader, &reply) != REDIS_OK) {
            return -EPROTO;
        }
        if (reply) {
            *ret_reply = reply;
            return 0;
        }
        r = feed(self, deadline_us, bytes);
        if (r < 0) {
            return r;
        }
    }
}

int redis_connection_call(RedisConnection *self, const RedisCommand *commands, size_t n,
                          uint64_t deadline_us, redisReply **ret_replies) {
    size_t bytes = 0, got = 0;
    int r = 0;

    self->out.len = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = add_command(&self->out, &commands[i]);
    }
    if (r == 0) {
        r = redis_socket_send(&self->socket, buf_str(&self->out), deadline_us);
    }
    if (self->out.capacity > READ_SIZE) {
        /* A large value is not kept for as long as the connection lives. */
        buf_done(&self->out);
    }
    for (; got < n && r == 0; got += r == 0) {
        r = receive(self, deadline_us, &bytes, &ret_replies[got]);
    }
    for (size_t i = 0; i < got && r < 0; i++) {
        freeReplyObject(ret_replies[i]);
    }
    return r;
}
