/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/connection.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/ports/cache.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define READ_SIZE 16384
/* All replies to one call: the largest value and what stands around it. */
#define REPLY_BYTES_MAX (CACHE_VALUE_LEN_MAX + (64u << 10))
#define HANDSHAKE_MAX   3

struct RedisConnection {
    int fd;
    redisReader *reader;
    Buf out;
};

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

/* 0, -ETIMEDOUT, or the system's fault. */
static int wait_for(int fd, short events, uint64_t deadline_us) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    uint64_t now = clock_mono_us();
    int r = -1;

    errno = EINTR;
    while (r < 0 && errno == EINTR && now < deadline_us) {
        /* Rounded up, so that it does not spin through the last millisecond. */
        r = poll(&poll_fd, 1, (int)MIN((deadline_us - now + 999) / 1000, (uint64_t)60000));
        now = clock_mono_us();
    }
    return r > 0 ? 0 : r == 0 || errno == EINTR ? -ETIMEDOUT : -errno;
}

static int dial(const struct sockaddr_storage *address, socklen_t len, uint64_t deadline_us,
                int *ret_fd) {
    _cleanup_(fd_closep) int fd =
        socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;
    int fault = 0, r;
    socklen_t size = sizeof(fault);

    if (fd < 0) {
        return err_errno();
    }
    if (connect(fd, (const struct sockaddr *)address, len) < 0) {
        if (errno != EINPROGRESS) {
            return -errno;
        }
        r = wait_for(fd, POLLOUT, deadline_us);
        if (r < 0) {
            return r;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) < 0 || fault != 0) {
            return fault ? -fault : err_errno();
        }
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int shake_hands(RedisConnection *self, const RedisUrl *url, uint64_t deadline_us) {
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
            r = -EACCES;
        }
        freeReplyObject(replies[i]);
    }
    return r;
}

int redis_connection_open(const RedisUrl *url, const RedisAddresses *addresses,
                          uint64_t deadline_us, RedisConnection **ret_connection) {
    _cleanup_(redis_connection_freep) RedisConnection *self = calloc(1, sizeof(*self));
    int r = -EHOSTUNREACH;

    if (!self) {
        return err_trace(-ENOMEM);
    }
    self->fd = -1;
    self->reader = redisReaderCreate();
    if (!self->reader) {
        return err_trace(-ENOMEM);
    }
    for (size_t i = 0; i < addresses->n && self->fd < 0; i++) {
        r = dial(&addresses->each[i].address, addresses->each[i].len, deadline_us, &self->fd);
    }
    if (r == 0) {
        r = shake_hands(self, url, deadline_us);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_connection = TAKE_PTR(self);
    return 0;
}

RedisConnection *redis_connection_free(RedisConnection *self) {
    if (self) {
        fd_close(self->fd);
        if (self->reader) {
            redisReaderFree(self->reader);
        }
        buf_done(&self->out);
        free(self);
    }
    return NULL;
}

bool redis_connection_fresh(const RedisConnection *self) {
    char byte;

    return recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
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

static int send_all(int fd, Str out, uint64_t deadline_us) {
    while (out.len > 0) {
        ssize_t n = send(fd, out.ptr, out.len, MSG_NOSIGNAL);
        int r = 0;
        if (n >= 0) {
            out.ptr += n;
            out.len -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            r = wait_for(fd, POLLOUT, deadline_us);
        } else if (errno != EINTR) {
            r = -errno;
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Gives the parser what has come, waiting for it by the deadline. */
static int feed(RedisConnection *self, uint64_t deadline_us, size_t *bytes) {
    char in[READ_SIZE];
    ssize_t n = recv(self->fd, in, sizeof(in), 0);

    if (n == 0) {
        return -ECONNRESET;
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? wait_for(self->fd, POLLIN, deadline_us)
               : errno == EINTR                        ? 0
                                                       : -errno;
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
        r = send_all(self->fd, buf_str(&self->out), deadline_us);
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
