/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/socket.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

#define RECORD_SIZE 16384

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

int redis_socket_dial(RedisSocket *self, const struct sockaddr_storage *address, socklen_t len,
                      uint64_t deadline_us) {
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
    *self = (RedisSocket){.fd = TAKE_FD(fd)};
    return 0;
}

static int send_raw(int fd, Str out, uint64_t deadline_us) {
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

static ssize_t receive_raw(int fd, void *in, size_t size, uint64_t deadline_us) {
    for (;;) {
        ssize_t n = recv(fd, in, size, 0);
        int r = 0;
        if (n >= 0) {
            return n > 0 ? n : -ECONNRESET;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            r = wait_for(fd, POLLIN, deadline_us);
        } else if (errno != EINTR) {
            r = -errno;
        }
        if (r < 0) {
            return r;
        }
    }
}

/* What OpenSSL wants sent. */
static int flush(RedisSocket *self, uint64_t deadline_us) {
    BIO *out = SSL_get_wbio(self->tls);
    char *bytes;
    long n = BIO_get_mem_data(out, &bytes);
    int r = n > 0 ? send_raw(self->fd, (Str){bytes, (size_t)n}, deadline_us) : 0;

    (void)BIO_reset(out);
    return r;
}

/* Gives OpenSSL what has come, waiting for it. */
static int feed(RedisSocket *self, uint64_t deadline_us) {
    char in[RECORD_SIZE];
    ssize_t n = receive_raw(self->fd, in, sizeof(in), deadline_us);

    if (n < 0) {
        return (int)n;
    }
    return BIO_write(SSL_get_rbio(self->tls), in, (int)n) == (int)n ? 0 : -ENOMEM;
}

/* After a call of OpenSSL's that gave `result`: 1 when it is done, 0 to call it again; or a fault.
 */
static int go_on(RedisSocket *self, int result, uint64_t deadline_us) {
    int wants = SSL_get_error(self->tls, result);
    int r;

    ERR_clear_error();
    r = flush(self, deadline_us); /* also what it tells the other side of a fault */
    if (result > 0) {
        return r < 0 ? r : 1;
    }
    if (wants == SSL_ERROR_ZERO_RETURN) {
        return -ECONNRESET;
    }
    return r < 0 ? r : wants == SSL_ERROR_WANT_READ ? feed(self, deadline_us) : -EPROTO;
}

int redis_socket_secure(RedisSocket *self, SSL_CTX *context, const char *host, uint64_t deadline_us,
                        int *ret_refusal) {
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct in6_addr v6;
    struct in_addr v4;
    int r = 0;

    self->tls = SSL_new(context);
    if (!self->tls || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        return -ENOMEM;
    }
    SSL_set_bio(self->tls, in, out);
    if (inet_pton(AF_INET, host, &v4) != 1 && inet_pton(AF_INET6, host, &v6) != 1) {
        SSL_set_tlsext_host_name(self->tls, host);
    }
    while (r == 0) {
        r = go_on(self, SSL_connect(self->tls), deadline_us);
    }
    if (r < 0 && SSL_get_verify_result(self->tls) != X509_V_OK) {
        *ret_refusal = (int)SSL_get_verify_result(self->tls);
        return -EACCES;
    }
    return r < 0 ? r : 0;
}

void redis_socket_close(RedisSocket *self) {
    SSL_free(self->tls);
    if (self->fd >= 0) {
        close(self->fd);
    }
    *self = REDIS_SOCKET_INIT;
}

int redis_socket_send(RedisSocket *self, Str out, uint64_t deadline_us) {
    if (!self->tls) {
        return send_raw(self->fd, out, deadline_us);
    }
    while (out.len > 0) {
        int n = SSL_write(self->tls, out.ptr, (int)MIN(out.len, (size_t)RECORD_SIZE));
        int r = go_on(self, n, deadline_us);
        if (r < 0) {
            return r;
        }
        if (r > 0) {
            out.ptr += n;
            out.len -= (size_t)n;
        }
    }
    return 0;
}

ssize_t redis_socket_receive(RedisSocket *self, void *in, size_t size, uint64_t deadline_us) {
    int r = 0, n = 0;

    if (!self->tls) {
        return receive_raw(self->fd, in, size, deadline_us);
    }
    while (r == 0) {
        n = SSL_read(self->tls, in, (int)MIN(size, (size_t)RECORD_SIZE));
        r = go_on(self, n, deadline_us);
    }
    return r < 0 ? r : n;
}

bool redis_socket_is_quiet(const RedisSocket *self) {
    char byte;

    return recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}
