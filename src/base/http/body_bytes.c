/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buffers of a body. The library reads at most its own small buffer at once and copies from
 * there, which at a gigabyte a second costs as much as all else; so a long body's socket is read
 * here instead. The library cannot be told that it has come, so the connection ends with it: not
 * worth it for less than what takes much longer to send than to connect.
 */
#include "base/http/body_internal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define LONG_MIN_USUAL ((uint64_t)16 << 20)

static bool is_long(const HttpRequest *request, uint64_t announced) {
    const HttpOptions *options = &request->server->options;
    uint64_t long_min = options->body_long_min ? options->body_long_min : LONG_MIN_USUAL;

    /* Of TLS the library has the keys. */
    return announced >= long_min && announced != UINT64_MAX && !options->tls;
}

uint64_t body_held_max(const HttpRequest *request, uint64_t announced) {
    return MIN(announced, (uint64_t)(is_long(request, announced) ? HTTP_BODY_HELD_LONG_MAX
                                                                 : HTTP_BODY_HELD_MAX));
}

void body_size_buffers(const HttpRequest *request, uint64_t announced, BodyStream *body) {
    size_t held = is_long(request, announced) ? HTTP_BODY_HELD_LONG_MAX : HTTP_BODY_HELD_MAX;

    body->is_long = is_long(request, announced);
    body->left = announced;
    body->size = (size_t)MIN(announced, (uint64_t)held / BODY_BUFFERS);
}

static char *filling(BodyStream *body) {
    char **buffer = &body->buffers[body->filling];

    if (!*buffer) {
        *buffer = malloc(body->size);
        if (!*buffer) {
            abort();
        }
    }
    return *buffer;
}

static void came(HttpRequest *request, size_t n) {
    BodyStream *body = request->taking;

    body->filled += n;
    request->body_len += n;
    if (body->is_long) {
        body->left -= n;
    }
}

size_t body_store(HttpRequest *request, const char *data, size_t len) {
    BodyStream *body = request->taking;
    size_t n = MIN(len, body->size - body->filled);

    memcpy(filling(body) + body->filled, data, n);
    came(request, n);
    return n;
}

bool body_more_is_here(const HttpRequest *request) {
    int bytes;

    return request->taking->filled < request->taking->size &&
           ioctl(request->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

bool body_is_coming(const HttpRequest *request) {
    const BodyStream *body = request->taking;

    return body->is_past && request->state == REQUEST_RECEIVING && !body->whole && !body->cut;
}

void body_fill(HttpRequest *request) {
    BodyStream *body = request->taking;

    while (body_is_coming(request) && body->left > 0 && body->filled < body->size) {
        size_t room = (size_t)MIN(body->left, (uint64_t)(body->size - body->filled));
        ssize_t n = recv(request->fd, filling(body) + body->filled, room, MSG_DONTWAIT);
        if (n > 0) {
            came(request, (size_t)n);
            body_be_patient(request);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            body->is_past = false;
            body_wake_library(request);
        } else if (errno == EAGAIN) {
            break;
        }
    }
    body->whole = body->whole || (body->is_past && body->left == 0);
}

Str body_take(BodyStream *body) {
    Str bytes = {body->buffers[body->filling], body->filled};

    body->filling = (body->filling + 1) % BODY_BUFFERS;
    body->filled = 0;
    return bytes;
}
