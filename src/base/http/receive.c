/* SPDX-License-Identifier: Apache-2.0 */
/* From a request's headers to its handler: routing, the body, and what is refused on the way. */
#include "base/http/server_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <sys/socket.h>

static void note_refusal(HttpRequest *request, unsigned status, const char *title,
                         const char *detail) {
    request->refuse_status = status;
    request->refuse_title = title;
    request->refuse_detail = detail;
}

static void note_too_large(HttpRequest *request) {
    note_refusal(request, MHD_HTTP_CONTENT_TOO_LARGE, "Body too large",
                 arena_printf(request->arena, "The body may have at most %zu bytes here.",
                              request->route->body_max));
}

void request_refuse_too_large(HttpRequest *request) {
    note_too_large(request);
    request_refuse(request, request->refuse_status, request->refuse_title, request->refuse_detail);
}

static void note_no_memory(HttpRequest *request) {
    request->extra = (HttpHeader){"Retry-After", "1"};
    note_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Busy",
                 "Too many uploads are under way. Try again in a moment.");
}

/* Books `bytes` more of the memory that all bodies share. */
static bool reserve(HttpRequest *request, uint64_t bytes) {
    HttpServer *server = request->server;
    uint64_t max = server->options.body_memory_max;

    if (atomic_fetch_add(&server->body_bytes, bytes) + bytes > max && max > 0) {
        atomic_fetch_sub(&server->body_bytes, bytes);
        return false;
    }
    request->body_reserved += bytes;
    return true;
}

/* How long the body will be; UINT64_MAX when only its end will tell. */
static uint64_t announced_length(HttpRequest *request) {
    const char *length = http_request_header(request, "Content-Length");
    uint64_t bytes;

    if (http_request_header(request, "Transfer-Encoding")) {
        return UINT64_MAX;
    }
    return length && str_to_u64(str_trim(str_from(length)), &bytes) == 0 ? bytes : 0;
}

/*
 * Two lengths, or a length and chunks: a proxy before us may take the other one, and then sees
 * other requests than we do (RFC 9112, section 11.2).
 */
static bool has_ambiguous_length(const HttpRequest *request) {
    unsigned lengths = 0;

    for (size_t i = 0; i < request->n_headers; i++) {
        Str name = str_from(request->headers[i].name);
        lengths += str_equal_nocase(name, str_lit("Content-Length")) ||
                   str_equal_nocase(name, str_lit("Transfer-Encoding"));
    }
    return lengths > 1;
}

/* Of a body of that length; what only its end will tell is booked as it comes. */
static uint64_t held_at_once(const HttpRequest *request, uint64_t announced) {
    if (request->route->body) {
        return body_held_max(request, announced);
    }
    return announced == UINT64_MAX ? 0 : announced;
}

static void admit(HttpRequest *request, uint64_t announced) {
    request_route(request);
    if (has_ambiguous_length(request)) {
        request->lingers = true;
        note_refusal(request, MHD_HTTP_BAD_REQUEST, "Bad request",
                     "The request says more than once how long its body is.");
    } else if (atomic_load(&request->server->draining)) {
        request->extra = (HttpHeader){"Retry-After", "5"};
        note_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Shutting down",
                     "The server is shutting down. Try again in a moment.");
    } else if (request->route && announced != UINT64_MAX && announced > request->route->body_max) {
        note_too_large(request);
    } else if (request->route && !reserve(request, held_at_once(request, announced))) {
        note_no_memory(request);
    }
}

/* Hands the stored answer to the library. */
static enum MHD_Result queue(HttpRequest *request) {
    struct MHD_Response *response = TAKE_PTR(request->response);
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);

    MHD_destroy_response(response);
    return result;
}

static void set_state(HttpRequest *request, RequestState state) {
    pthread_mutex_lock(&request->lock);
    request->state = state;
    pthread_mutex_unlock(&request->lock);
}

static enum MHD_Result refuse(HttpRequest *request) {
    set_state(request, REQUEST_HANDLING);
    request_refuse(request, request->refuse_status, request->refuse_title, request->refuse_detail);
    assert(request->state == REQUEST_ANSWERED);
    return queue(request);
}

/* Amid the body the library takes no answer any more, so it goes to the socket as it is. */
static void refuse_midway(HttpRequest *request) {
    pthread_mutex_lock(&request->lock);
    request->state = REQUEST_REFUSING;
    request->lingers = true;
    request_refuse(request, request->refuse_status, request->refuse_title, request->refuse_detail);
    assert(request->state == REQUEST_REFUSED);
    pthread_mutex_unlock(&request->lock);
}

void receive_too_late(HttpRequest *request) {
    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_RECEIVING && !body_too_late(request)) {
        note_refusal(request, MHD_HTTP_REQUEST_TIMEOUT, "Request timeout",
                     "The request did not arrive in time.");
        refuse_midway(request);
        /* The library sees an end of input and closes. */
        shutdown(request->fd, SHUT_RD);
    } else if (request->state == REQUEST_REFUSED) {
        shutdown(request->fd, SHUT_RDWR); /* it neither goes on nor leaves */
    }
    pthread_mutex_unlock(&request->lock);
    stream_lose(request);
}

/* A route that takes bodies in pieces is asked before the body is read, or without one at its
 * end. */
static enum MHD_Result begin_pieces(HttpRequest *request, uint64_t announced) {
    if (body_begin(request, announced)) {
        return MHD_YES;
    }
    if (atomic_load(&request->server->stopping)) {
        return MHD_NO;
    }
    request->extra = (HttpHeader){"Retry-After", "1"};
    note_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Busy",
                 "Too many requests wait. Try again in a moment.");
    request->lingers = announced > 0;
    return refuse(request);
}

static enum MHD_Result begin(HttpServer *server, struct MHD_Connection *connection, const char *url,
                             const char *method, void **context) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    Slot *slot = info ? info->socket_context : NULL;
    HttpRequest *request;
    uint64_t announced;

    if (!slot) {
        return MHD_NO; /* no place in the table */
    }
    request = request_new(server, slot, connection, method, url);
    announced = announced_length(request);
    admit(request, announced);
    connection_begin(server, slot, request);
    *context = request;
    if (request->refuse_status != 0 && (announced > 0 || request->lingers)) {
        request->lingers = true;
        return refuse(request);
    }
    if (announced > 0 && request->refuse_status == 0 && request->route->body) {
        return begin_pieces(request, announced);
    }
    return MHD_YES;
}

static int store(HttpRequest *request, const char *data, size_t len) {
    if (request->body_fd < 0) {
        int r = fd_memory_new("http-body", &request->body_fd);
        if (r < 0) {
            return r;
        }
    }
    return fd_write_all(request->body_fd, data, len);
}

static enum MHD_Result receive(HttpRequest *request, const char *data, size_t *len) {
    uint64_t total = request->body_len + *len;
    enum MHD_Result result = MHD_NO;

    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_RECEIVING) {
        if (total > request->route->body_max) {
            note_too_large(request);
        } else if ((total > request->body_reserved &&
                    !reserve(request, total - request->body_reserved)) ||
                   store(request, data, *len) < 0) {
            note_no_memory(request);
        } else {
            request->body_len = total;
            *len = 0;
            result = MHD_YES;
        }
        if (result == MHD_NO) {
            refuse_midway(request);
        }
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

/*
 * On a thread of the executor. The server may have been stopped meanwhile, and its groups with it;
 * not while the request is locked and not orphaned.
 */
static void run_blocking(void *userdata, bool cancelled) {
    HttpRequest *request = userdata;
    HttpHandler *handle = NULL;
    void *context = NULL;

    pthread_mutex_lock(&request->lock);
    if (!cancelled && (request->state == REQUEST_HANDLING || request->state == REQUEST_WAITING)) {
        handle = request->route->handle;
        context = request->group->context;
    }
    pthread_mutex_unlock(&request->lock);
    if (handle) {
        handle(request, context);
    } else {
        http_respond(request, &(HttpResponse){.status = MHD_HTTP_SERVICE_UNAVAILABLE});
    }
}

static void call_handler(HttpRequest *request) {
    const HttpRoute *route = request->route;
    Executor *executor = route->executor ? route->executor : request->group->executor;

    request_ref(request);
    if (!route->blocks) {
        route->handle(request, request->group->context);
    } else if (route->quick && route->quick(request, request->group->context)) {
        return;
    } else if (executor_submit(executor, run_blocking, request) != 0) {
        request->extra = (HttpHeader){"Retry-After", "1"};
        request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Busy",
                       "Too many requests wait. Try again in a moment.");
        request_unref(request);
    }
}

/* After its handler has returned: is it answered, or does it wait? */
static enum MHD_Result settle(HttpRequest *request) {
    enum MHD_Result result = MHD_YES;
    bool answered;

    pthread_mutex_lock(&request->lock);
    answered = request->state == REQUEST_ANSWERED;
    if (request->state == REQUEST_STREAMING) {
        request->suspended = true;
        MHD_suspend_connection(request->connection);
    } else if (request->state == REQUEST_STREAMED) {
        result = MHD_NO;
    } else if (!answered && atomic_load(&request->server->stopping)) {
        request_orphan_unsuspended(request);
        result = MHD_NO;
    } else if (!answered) {
        request->state = REQUEST_WAITING;
        MHD_suspend_connection(request->connection);
        watcher_rearm(request);
    }
    pthread_mutex_unlock(&request->lock);
    return answered ? queue(request) : result;
}

static enum MHD_Result handle(HttpRequest *request) {
    if (request->refuse_status != 0) {
        return refuse(request);
    }
    if (request->body_fd >= 0 && fd_memory_seal(request->body_fd) < 0) {
        return MHD_NO;
    }
    if (request->route->body) {
        return begin_pieces(request, 0);
    }
    call_handler(request);
    return settle(request);
}

static enum MHD_Result received(HttpRequest *request) {
    RequestState state;
    bool taken;

    pthread_mutex_lock(&request->lock);
    state = request->state;
    taken = request->taking;
    if (state == REQUEST_RECEIVING && taken) {
        body_go_on(request);
    } else if (state == REQUEST_RECEIVING) {
        request->state = REQUEST_HANDLING;
    }
    pthread_mutex_unlock(&request->lock);
    switch (state) {
    case REQUEST_RECEIVING:
        return taken ? MHD_YES : handle(request);
    case REQUEST_ANSWERED:
        return queue(request);
    default:
        return MHD_NO;
    }
}

enum MHD_Result receive_request(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *len, void **context) {
    (void)version;
    if (!*context) {
        return begin(server, connection, url, method, context);
    }
    if (*len == 0) {
        return received(*context);
    }
    return ((HttpRequest *)*context)->taking ? body_receive(*context, data, len)
                                             : receive(*context, data, len);
}

void receive_completed(void *userdata, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code) {
    HttpServer *server = userdata;
    _cleanup_(request_unrefp) HttpRequest *request = TAKE_PTR(*context);
    bool answered, lingers, failed = false;

    (void)connection;
    if (!request) {
        return;
    }
    pthread_mutex_lock(&request->lock);
    answered = request->state == REQUEST_REFUSED || request->state == REQUEST_STREAMED ||
               (request->state == REQUEST_ANSWERED && !request->client_gone &&
                code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    lingers = request->lingers;
    assert(request->state != REQUEST_STREAMING);
    request->state = REQUEST_CLOSED;
    body_closed(request);
    if (request->reader) {
        request->response_len = reader_sent(request->reader, answered);
        failed = reader_failed(request->reader);
    }
    pthread_mutex_unlock(&request->lock);

    HttpFinished finished = {
        .request_id = request->id,
        .method = request->method,
        .path = request->path,
        .peer = request->peer,
        .route = request->route ? request->route->path : "other",
        .status = answered ? request->status
                  : failed ? 500
                           : 499,
        .bytes_in = request->body_len,
        .bytes_out = answered || request->reader ? request->response_len : 0,
        .seconds = (double)(clock_mono_us() - request->started_us) / 1e6,
    };
    atomic_fetch_sub(&server->body_bytes, request->body_reserved);
    count_request(server, request, &finished);
    if (server->options.on_finished) {
        server->options.on_finished(&finished, server->options.on_finished_userdata);
    }
    connection_end(server, request->slot, lingers);
}
