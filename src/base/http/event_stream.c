/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that go on. The library would poll for more of them and time them out, so it does not
 * know that they have begun: the connection stays suspended, bytes go straight to its socket, and
 * what the socket does not take is sent by the watcher when it does. In the end the connection is
 * resumed and closed. Locks: a stream's, then its request's.
 */
#include "base/http/server_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <assert.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct HttpStream {
    atomic_uint refs; /* of the owner and of the request */
    size_t buffer_max;
    void (*gone)(void *userdata);
    void *userdata;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t told;  /* `gone` has returned */
    HttpRequest *request; /* NULL: nothing reaches the client any more; with a reference */
    Buf out;              /* what waits, from out_at on */
    size_t out_at;
    uint64_t sent, head_len;
    bool record_waits; /* TLS has taken a record and not sent it */
    bool broken;       /* the watcher is to end it */
    bool ended;        /* by its owner */
    bool telling;      /* `gone` runs */
    pthread_t teller;
};

static void stream_unref(HttpStream *stream) {
    if (stream && atomic_fetch_sub(&stream->refs, 1) == 1) {
        buf_done(&stream->out);
        pthread_cond_destroy(&stream->told);
        pthread_mutex_destroy(&stream->lock);
        free(stream);
    }
}
DEFINE_CLEANUP(HttpStream *, stream_unref)

HttpStream *stream_free(HttpStream *stream) {
    stream_unref(stream);
    return NULL;
}

static size_t waiting(const HttpStream *stream) {
    return stream->out.len - stream->out_at;
}

/* With the stream's lock held: the connection goes back to the library, which closes it. */
static void finish(HttpStream *stream) {
    HttpRequest *request = TAKE_PTR(stream->request);

    buf_done(&stream->out);
    stream->out_at = 0;
    pthread_mutex_lock(&request->lock);
    request->state = REQUEST_STREAMED;
    request->response_len = stream->sent - MIN(stream->sent, stream->head_len);
    if (request->suspended) {
        MHD_resume_connection(request->connection);
    }
    pthread_mutex_unlock(&request->lock);
    request_unref(request);
}

/* With the stream's lock held, which it leaves meanwhile. */
static void tell(HttpStream *stream) {
    void (*gone)(void *) = TAKE_PTR(stream->gone);

    if (!gone || stream->ended) {
        return;
    }
    stream->telling = true;
    stream->teller = pthread_self();
    pthread_mutex_unlock(&stream->lock);
    gone(stream->userdata);
    pthread_mutex_lock(&stream->lock);
    stream->telling = false;
    pthread_cond_broadcast(&stream->told);
}

/* Bytes sent; -EAGAIN, or why nothing can be. */
static ssize_t send_some(HttpStream *stream, const char *bytes, size_t len) {
    const HttpRequest *request = stream->request;
    const union MHD_ConnectionInfo *info;
    ssize_t n;

    if (!request->server->options.tls) {
        n = send(request->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
    }
    info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info) {
        return -EPIPE;
    }
    n = gnutls_record_send(info->tls_session, stream->record_waits ? NULL : bytes,
                           stream->record_waits ? 0 : len);
    stream->record_waits = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
    return stream->record_waits ? -EAGAIN : n < 0 ? -EPIPE : n;
}

/* Lest a buffer that never gets empty grows. */
static void forget_sent(HttpStream *stream) {
    if (stream->out_at > stream->out.len / 2) {
        memmove(stream->out.data, stream->out.data + stream->out_at, waiting(stream));
        stream->out.len -= stream->out_at;
        stream->out_at = 0;
    }
}

/* Sends what the socket takes, and has the watcher wait for the rest. */
static void flush(HttpStream *stream) {
    size_t before = waiting(stream);
    ssize_t n = 0;

    while (waiting(stream) > 0 &&
           (n = send_some(stream, stream->out.data + stream->out_at, waiting(stream))) > 0) {
        stream->out_at += (size_t)n;
        stream->sent += (uint64_t)n;
    }
    if (n < 0 && n != -EAGAIN) {
        stream->broken = true;
        server_doom(stream->request->server);
    } else if (waiting(stream) == 0) {
        buf_done(&stream->out);
        stream->out_at = 0;
        atomic_store(&stream->request->deadline_ms, UINT64_MAX);
    } else if (waiting(stream) < before || stream->out_at == 0) {
        forget_sent(stream);
        atomic_store(&stream->request->deadline_ms,
                     clock_mono_ms() +
                         (uint64_t)stream->request->server->options.idle_timeout_s * 1000);
    }
}

static void watch(const HttpStream *stream) {
    watcher_watch(stream->request, waiting(stream) > 0 ? EPOLLOUT : 0);
}

/* Nothing reaches the client any more. */
static void lose(HttpStream *stream) {
    pthread_mutex_lock(&stream->lock);
    if (stream->request) {
        finish(stream);
    }
    tell(stream);
    pthread_mutex_unlock(&stream->lock);
}

static HttpStream *stream_ref_of(HttpRequest *request) {
    HttpStream *stream = NULL;

    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_STREAMING) {
        stream = request->stream;
        atomic_fetch_add(&stream->refs, 1);
    }
    pthread_mutex_unlock(&request->lock);
    return stream;
}

void stream_lose(HttpRequest *request) {
    _cleanup_(stream_unrefp) HttpStream *stream = stream_ref_of(request);

    if (stream) {
        lose(stream);
    }
}

void stream_lose_broken(HttpRequest *request) {
    _cleanup_(stream_unrefp) HttpStream *stream = stream_ref_of(request);
    bool lost;

    if (!stream) {
        return;
    }
    pthread_mutex_lock(&stream->lock);
    lost = stream->broken || (atomic_load(&request->server->draining) && !stream->ended);
    pthread_mutex_unlock(&stream->lock);
    if (lost) {
        lose(stream);
    }
}

bool stream_event(HttpRequest *request, uint32_t events) {
    _cleanup_(stream_unrefp) HttpStream *stream = stream_ref_of(request);

    if (!stream) {
        return false;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        lose(stream);
        return true;
    }
    pthread_mutex_lock(&stream->lock);
    if (stream->request) {
        flush(stream);
        if (stream->ended && (waiting(stream) == 0 || stream->broken)) {
            finish(stream);
        } else {
            watch(stream);
        }
    }
    pthread_mutex_unlock(&stream->lock);
    return true;
}

static HttpStream *stream_new(size_t buffer_max, void (*gone)(void *userdata), void *userdata) {
    HttpStream *stream = calloc(1, sizeof(*stream));

    if (!stream) {
        abort();
    }
    atomic_init(&stream->refs, 1);
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->told, NULL);
    stream->buffer_max = buffer_max;
    stream->gone = gone;
    stream->userdata = userdata;
    return stream;
}

/* With both locks held. */
static void start(HttpStream *stream, HttpRequest *request, const HttpResponse *head) {
    request->suspended = request->state == REQUEST_WAITING;
    request->state = REQUEST_STREAMING;
    request->status = head->status;
    request->lingers = true;
    request->stream = stream;
    atomic_fetch_add(&stream->refs, 1);
    stream->request = request_ref(request);
    respond_raw_head(request, head, &stream->out);
    stream->head_len = stream->out.len;
    flush(stream);
    watch(stream);
    if (strcmp(request->method, "HEAD") == 0 || atomic_load(&request->server->draining)) {
        stream->broken = true;
        server_doom(request->server);
    }
}

HttpStream *http_respond_stream(HttpRequest *request, const HttpResponse *head, size_t buffer_max,
                                void (*gone)(void *userdata), void *userdata) {
    HttpStream *stream = stream_new(buffer_max, gone, userdata);

    pthread_mutex_lock(&stream->lock);
    pthread_mutex_lock(&request->lock);
    switch (request->state) {
    case REQUEST_HANDLING:
    case REQUEST_WAITING:
        request->gone = NULL;
        if (!atomic_load(&request->server->stopping)) {
            start(stream, request, head);
        }
        break;
    case REQUEST_ORPHANED:
    case REQUEST_CLOSED:
        break;
    default:
        assert(!"answered twice");
    }
    pthread_mutex_unlock(&request->lock);
    pthread_mutex_unlock(&stream->lock);
    request_unref(request);
    return stream;
}

int http_stream_write(HttpStream *stream, Str bytes) {
    int r = 0;

    pthread_mutex_lock(&stream->lock);
    if (!stream->request || stream->broken) {
        r = -EPIPE;
    } else if (waiting(stream) > 0 || bytes.len > stream->buffer_max) {
        if (bytes.len > stream->buffer_max || waiting(stream) > stream->buffer_max - bytes.len) {
            r = -ENOBUFS;
        } else {
            buf_add_str(&stream->out, bytes);
        }
    } else if (bytes.len > 0) {
        buf_add_str(&stream->out, bytes);
        flush(stream);
        if (waiting(stream) > 0) {
            watch(stream);
        }
        r = stream->broken ? -EPIPE : 0;
    }
    pthread_mutex_unlock(&stream->lock);
    return r;
}

HttpStream *http_stream_end(HttpStream *stream) {
    if (!stream) {
        return NULL;
    }
    pthread_mutex_lock(&stream->lock);
    while (stream->telling && !pthread_equal(stream->teller, pthread_self())) {
        pthread_cond_wait(&stream->told, &stream->lock);
    }
    stream->ended = true;
    if (stream->request && (waiting(stream) == 0 || stream->broken)) {
        finish(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    stream_unref(stream);
    return NULL;
}
