/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are taken in pieces. The library's thread fills one buffer while the route's executor
 * works on another; when there is no room the connection is suspended until a piece is done. A long
 * body is read by the executor itself (body_bytes.c): then the connection stays suspended to its
 * end, and the answer goes straight to the socket. What the executor does is a step: some calls of
 * the route's, after which it queues for the next, so that no upload keeps a thread to itself. At
 * most one step of a request is submitted or runs (`scheduled`), and the request's arena is that
 * step's. All members are guarded by the request's lock, which is not held while the route's
 * functions run.
 */
#include "base/http/body_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CALLS_MAX 8 /* in a row, before others have their turn */

static BodyStream *body_new(const HttpRequest *request, uint64_t announced) {
    const HttpRoute *route = request->route;
    BodyStream *body = calloc(1, sizeof(*body));

    if (!body) {
        abort();
    }
    body->calls = route->body;
    body->context = request->group->context;
    body->executor = route->executor ? route->executor : request->group->executor;
    body_size_buffers(request, announced, body);
    return body;
}

BodyStream *body_free(BodyStream *body) {
    if (body) {
        for (size_t i = 0; i < BODY_BUFFERS; i++) {
            free(body->buffers[i]);
        }
        free(body);
    }
    return NULL;
}

void body_wake_library(HttpRequest *request) {
    if (request->taking->suspended) {
        request->taking->suspended = false;
        MHD_resume_connection(request->connection);
    }
}

void body_be_patient(HttpRequest *request) {
    atomic_store(&request->deadline_ms,
                 clock_mono_ms() + (uint64_t)request->server->options.receive_timeout_s * 1000);
}

void body_answered(HttpRequest *request) {
    atomic_store(&request->deadline_ms, clock_mono_ms() + LINGER_MS);
    if (request->taking->whole) {
        shutdown(request->fd, SHUT_RD); /* the library sees an end of input and closes */
    }
    body_wake_library(request);
}

/* Calls `begin`. With the request's lock held, as all that follow, which leave it meanwhile. */
static void begin(HttpRequest *request, bool cancelled) {
    BodyStream *body = request->taking;
    bool wanted = !cancelled && request->state == REQUEST_WAITING;

    body->begun = true;
    pthread_mutex_unlock(&request->lock);
    if (wanted) {
        body->state = body->calls->begin(request, body->context);
    } else {
        http_respond(request, &(HttpResponse){.status = MHD_HTTP_SERVICE_UNAVAILABLE});
    }
    pthread_mutex_lock(&request->lock);
    if (!body->state) {
        body->ended = true;
    } else if (request->state == REQUEST_WAITING && !body->whole) {
        request->state = REQUEST_RECEIVING;
        request->lingers = false;
        body_be_patient(request);
        MHD_resume_connection(request->connection);
    }
}

/* In the words of the route's group, straight to the socket. */
static void refuse(HttpRequest *request) {
    BodyStream *body = request->taking;

    body->cut = true;
    if (request->state != REQUEST_RECEIVING) {
        return;
    }
    request->state = REQUEST_REFUSING;
    request->lingers = true;
    if (body->too_large) {
        request_refuse_too_large(request);
    } else {
        request_refuse(request, MHD_HTTP_REQUEST_TIMEOUT, "Request timeout",
                       "Nothing came for too long.");
    }
    assert(request->state == REQUEST_REFUSED);
    body_answered(request);
    if (body->too_late) {
        shutdown(request->fd, SHUT_RD); /* the library sees an end of input and closes */
    }
}

static void give(HttpRequest *request) {
    BodyStream *body = request->taking;
    Str bytes = body_take(body);
    bool goes_on;

    if (!body->is_past) {
        body_wake_library(request);
    }
    pthread_mutex_unlock(&request->lock);
    goes_on = body->calls->piece(request, body->state, bytes);
    pthread_mutex_lock(&request->lock);
    body->ended = !goes_on;
    if (request->state == REQUEST_RECEIVING) {
        body_be_patient(request); /* that was our time */
    }
}

static void end(HttpRequest *request, HttpBodyEnd how) {
    BodyStream *body = request->taking;

    body->ended = true;
    pthread_mutex_unlock(&request->lock);
    body->calls->end(request, body->state, how);
    pthread_mutex_lock(&request->lock);
}

/* The next call; false when there is none to make now. */
static bool advance(HttpRequest *request, bool cancelled) {
    BodyStream *body = request->taking;

    if (body->ended) {
        return false;
    }
    if (body->is_past && !cancelled) {
        body_fill(request);
    }
    if (!body->begun) {
        begin(request, cancelled);
    } else if ((body->too_large || body->too_late) && !body->cut) {
        refuse(request);
    } else if (body->filled > 0 && !cancelled) {
        give(request);
    } else if (body->cut || cancelled) {
        end(request, HTTP_BODY_CUT);
    } else if (body->whole) {
        end(request, HTTP_BODY_WHOLE);
    } else {
        if (body_is_coming(request)) {
            watcher_watch(request, EPOLLIN);
        }
        return false;
    }
    return true;
}

static void step(void *userdata, bool cancelled);

/* False when there is no room to queue in: then it goes on here. */
static bool queue_again(HttpRequest *request) {
    if (executor_submit(request->taking->executor, step, request_ref(request)) == 0) {
        return true;
    }
    request_unref(request);
    return false;
}

/* On a thread of the executor, perhaps after the server has ended. */
static void step(void *userdata, bool cancelled) {
    HttpRequest *request = userdata;
    BodyStream *body = request->taking;
    bool queued = false;

    pthread_mutex_lock(&request->lock);
    for (unsigned n = 1; !queued && advance(request, cancelled); n++) {
        queued = n % CALLS_MAX == 0 && !cancelled && queue_again(request);
    }
    body->scheduled = queued;
    pthread_mutex_unlock(&request->lock);
    request_unref(request);
}

/* True when the caller is to submit a step. */
static bool claim(BodyStream *body) {
    bool free = !body->scheduled && !body->ended;

    body->scheduled = body->scheduled || free;
    return free;
}

static void submit(HttpRequest *request) {
    retry_submit(request->server, request->taking->executor, step, request_ref(request));
}

static void schedule(HttpRequest *request) {
    if (claim(request->taking)) {
        submit(request);
    }
}

bool body_begin(HttpRequest *request, uint64_t announced) {
    bool submitted = false;

    pthread_mutex_lock(&request->lock);
    if (atomic_load(&request->server->stopping)) {
        pthread_mutex_unlock(&request->lock);
        return false;
    }
    request->taking = body_new(request, announced);
    request->taking->at_head = announced > 0;
    request->taking->whole = announced == 0;
    request->taking->scheduled = true;
    request_ref(request); /* the route's, until it answers */
    submitted = executor_submit(request->taking->executor, step, request_ref(request)) == 0;
    if (submitted) {
        request->lingers = announced > 0;
        request->state = REQUEST_WAITING;
        MHD_suspend_connection(request->connection);
        watcher_rearm(request);
    } else {
        request->taking = body_free(request->taking);
        request_unref(request);
        request_unref(request);
    }
    pthread_mutex_unlock(&request->lock);
    return submitted;
}

void body_go_on(HttpRequest *request) {
    BodyStream *body = request->taking;

    if (body->at_head) {
        body->at_head = false; /* now it is read */
        return;
    }
    body->whole = true;
    request->state = REQUEST_WAITING;
    MHD_suspend_connection(request->connection);
    watcher_rearm(request);
    schedule(request);
}

enum MHD_Result body_receive(HttpRequest *request, const char *data, size_t *len) {
    BodyStream *body = request->taking;
    enum MHD_Result result = MHD_NO;
    bool claimed = false;

    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_RECEIVING) {
        result = MHD_YES;
        body_be_patient(request);
        if (request->body_len + *len > request->route->body_max) {
            body->too_large = true;
        } else {
            *len -= body_store(request, data, *len);
            body->is_past = body->is_long && body->left > 0 && *len == 0;
        }
        if (*len > 0 || body->is_past || body->too_large || !body_more_is_here(request)) {
            claimed = claim(body);
        }
        if (*len > 0 || body->is_past) {
            body->suspended = true;
            MHD_suspend_connection(request->connection);
        }
    }
    pthread_mutex_unlock(&request->lock);
    if (claimed) {
        submit(request); /* now, as the step wants the lock */
    }
    return result;
}

bool body_too_late(HttpRequest *request) {
    BodyStream *body = request->taking;

    if (body && body->scheduled) {
        body_be_patient(request); /* it waits for us */
    } else if (body) {
        body->too_late = true;
        schedule(request);
    }
    return body != NULL;
}

void body_closed(HttpRequest *request) {
    BodyStream *body = request->taking;

    if (body && !body->whole) {
        body->cut = true;
        schedule(request);
    }
}

void body_event(HttpRequest *request) {
    pthread_mutex_lock(&request->lock);
    if (request->taking && body_is_coming(request)) {
        schedule(request);
    }
    pthread_mutex_unlock(&request->lock);
}

void body_orphan(HttpRequest *request) {
    request->state = REQUEST_ORPHANED;
    body_wake_library(request);
}
