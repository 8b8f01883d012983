/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/security_headers.h"
#include "base/http/server_internal.h"

#include <assert.h>
#include <jansson.h>
#include <sys/socket.h>

#define OWN_HEADERS_MAX (SECURITY_HEADERS_MAX + 4)

/* What the answer says about itself, apart from its length. */
static size_t headers_of(const HttpRequest *request, const HttpResponse *from,
                         HttpHeader ret_own[OWN_HEADERS_MAX]) {
    size_t n = security_headers(from, request->server->options.tls != NULL, ret_own);

    ret_own[n++] = (HttpHeader){"X-Request-Id", request->id};
    if (from->content_type) {
        ret_own[n++] = (HttpHeader){"Content-Type", from->content_type};
    }
    if (request->extra.name) {
        ret_own[n++] = request->extra;
    }
    if (request->lingers || atomic_load(&request->server->draining)) {
        ret_own[n++] = (HttpHeader){"Connection", "close"};
    }
    return n;
}

static void add_headers(const HttpRequest *request, const HttpResponse *from,
                        struct MHD_Response *response) {
    HttpHeader own[OWN_HEADERS_MAX];
    size_t n = headers_of(request, from, own);

    for (size_t i = 0; i < n; i++) {
        MHD_add_response_header(response, own[i].name, own[i].value);
    }
    for (const HttpHeader *header = from->headers; header && header->name; header++) {
        MHD_add_response_header(response, header->name, header->value);
    }
}

static struct MHD_Response *build(HttpRequest *request, const HttpResponse *from) {
    bool file = from->body_fd > 0 && from->body_fd_len > 0;
    struct MHD_Response *response =
        file ? MHD_create_response_from_fd64(from->body_fd_len, from->body_fd)
             : MHD_create_response_from_buffer(from->body.len, (void *)(uintptr_t)from->body.ptr,
                                               MHD_RESPMEM_MUST_COPY);

    if (!response) {
        abort(); /* exhausted memory */
    }
    request->response_len = file ? from->body_fd_len : from->body.len;
    add_headers(request, from, response);
    return response;
}

static void add_raw_header(Buf *out, const HttpHeader *header) {
    if (!strpbrk(header->value, "\r\n")) {
        buf_addf(out, "%s: %s\r\n", header->name, header->value);
    }
}

/* Past the library; over TLS one thread may send while the library's receives. */
static void send_raw(const HttpRequest *request, const Buf *out) {
    if (request->server->options.tls) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (info) {
            gnutls_record_send(info->tls_session, out->data, out->len);
        }
    } else if (send(request->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        return;
    }
}

static void add_raw_headers(const HttpRequest *request, const HttpResponse *from, Buf *out) {
    HttpHeader own[OWN_HEADERS_MAX];
    size_t n = headers_of(request, from, own);

    buf_addf(out, "HTTP/1.1 %u %s\r\n", from->status, MHD_get_reason_phrase_for(from->status));
    for (size_t i = 0; i < n; i++) {
        add_raw_header(out, &own[i]);
    }
    for (const HttpHeader *header = from->headers; header && header->name; header++) {
        add_raw_header(out, header);
    }
}

void respond_raw_head(const HttpRequest *request, const HttpResponse *from, Buf *out) {
    add_raw_headers(request, from, out);
    /* Or a proxy would collect what should go on at once. */
    buf_addf(out, "X-Accel-Buffering: no\r\n\r\n");
}

static void respond_raw(HttpRequest *request, const HttpResponse *from) {
    _cleanup_(buf_done) Buf out = BUF_INIT;

    add_raw_headers(request, from, &out);
    buf_addf(&out, "Content-Length: %zu\r\n\r\n", from->body.len);
    buf_add_str(&out, from->body);
    request->response_len = from->body.len;
    /* Nothing was sent on this connection since its last answer, so that a page fits its buffer. */
    send_raw(request, &out);
}

/* With its lock held, when the library waits for an answer. */
static void answer(HttpRequest *request, unsigned status, struct MHD_Response *response) {
    request->status = status;
    request->response = response;
    if (request->state == REQUEST_WAITING) {
        MHD_resume_connection(request->connection);
    }
    request->state = REQUEST_ANSWERED;
}

/* With its lock held, amid its body. */
static void answer_midway(HttpRequest *request, const HttpResponse *response) {
    request->status = response->status;
    request->lingers = true;
    respond_raw(request, response);
    request->state = REQUEST_REFUSED;
    if (request->taking) {
        body_answered(request);
    }
}

void http_respond(HttpRequest *request, const HttpResponse *response) {
    bool file_taken = false;

    pthread_mutex_lock(&request->lock);
    request->gone = NULL;
    switch (request->state) {
    case REQUEST_HANDLING:
    case REQUEST_WAITING:
        answer(request, response->status, build(request, response));
        file_taken = response->body_fd_len > 0;
        break;
    case REQUEST_RECEIVING: /* by a route that takes it in pieces */
        assert(request->taking);
        answer_midway(request, response);
        break;
    case REQUEST_REFUSING:
        answer_midway(request, response);
        break;
    case REQUEST_REFUSED:
        assert(request->taking); /* the server was first */
        break;
    case REQUEST_ORPHANED:
    case REQUEST_CLOSED:
        break;
    default:
        assert(!"answered twice");
    }
    pthread_mutex_unlock(&request->lock);
    if (!file_taken && response->body_fd > 0) {
        fd_close(response->body_fd);
    }
    request_unref(request);
}

void http_respond_reader(HttpRequest *request, const HttpResponse *head, uint64_t len,
                         const HttpReader *reader) {
    bool taken = false;

    pthread_mutex_lock(&request->lock);
    request->gone = NULL;
    switch (request->state) {
    case REQUEST_HANDLING:
    case REQUEST_WAITING: {
        struct MHD_Response *response = reader_response(request, len, reader);
        add_headers(request, head, response);
        answer(request, head->status, response);
        taken = true;
        break;
    }
    case REQUEST_REFUSED:
    case REQUEST_ORPHANED:
    case REQUEST_CLOSED:
        break;
    default:
        assert(!"answered twice, or amid the body");
    }
    pthread_mutex_unlock(&request->lock);
    if (!taken) {
        reader->done(reader->state);
    }
    request_unref(request);
}

void http_respond_see_other(HttpRequest *request, const char *location, const HttpHeader *headers) {
    size_t n = 0;
    HttpHeader *all;

    while (headers && headers[n].name) {
        n++;
    }
    all = arena_alloc(request->arena, (n + 2) * sizeof(*all));
    all[0] = (HttpHeader){"Location", location};
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = headers[i];
    }
    http_respond(request, &(HttpResponse){.status = MHD_HTTP_SEE_OTHER, .headers = all});
}

void http_respond_problem_coded(HttpRequest *request, const HttpProblem *told) {
    _cleanup_(json_decrefp) json_t *problem =
        told->members ? json_copy((json_t *)told->members) : json_object();
    _cleanup_(freep) char *text = NULL;

    json_object_set_new(problem, "type", json_string("about:blank"));
    json_object_set_new(problem, "title", json_string(told->title));
    json_object_set_new(problem, "status", json_integer((json_int_t)told->status));
    /* A detail that quotes what is not UTF-8 is left out. */
    json_object_set_new(problem, "detail", told->detail ? json_string(told->detail) : NULL);
    json_object_set_new(problem, "code", told->code ? json_string(told->code) : NULL);
    json_object_set_new(problem, "request_id", json_string(request->id));
    text = json_dumps(problem, JSON_COMPACT);
    if (!text) {
        abort();
    }
    http_respond(request, &(HttpResponse){.status = told->status,
                                          .content_type = "application/problem+json",
                                          .headers = told->headers,
                                          .body = str_from(text)});
}

const char *http_code_of_status(unsigned status) {
    switch (status) {
    case 404:
        return "not_found";
    case 405:
        return "method_not_allowed";
    case 408:
        return "request_timeout";
    case 413:
        return "file_too_large";
    case 429:
        return "too_many_connections";
    case 503:
        return "unavailable";
    default:
        return status < 500 ? "bad_request" : "internal_error";
    }
}

void http_respond_problem(HttpRequest *request, unsigned status, const char *title,
                          const char *detail) {
    http_respond_problem_coded(request, &(HttpProblem){.status = status,
                                                       .code = http_code_of_status(status),
                                                       .title = title,
                                                       .detail = detail});
}
