/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_internal.h"

#include "base/clock.h"
#include "base/http/forwarded.h"

#include <assert.h>

#define REQUEST_ID_MAX 128

typedef struct PairList {
    Arena *arena;
    HttpPair *pairs;
    size_t n;
} PairList;

static enum MHD_Result copy_pair(void *userdata, enum MHD_ValueKind kind, const char *name,
                                 const char *value) {
    PairList *list = userdata;
    (void)kind;
    list->pairs[list->n++] = (HttpPair){arena_strdup(list->arena, str_from(name)),
                                        arena_strdup(list->arena, str_from(value ? value : ""))};
    return MHD_YES;
}

/* Copied, because the library's own go with the connection and a handler may outlive that. */
static HttpPair *copy_pairs(HttpRequest *request, enum MHD_ValueKind kind, size_t *ret_n) {
    int n = MHD_get_connection_values(request->connection, kind, NULL, NULL);
    PairList list = {.arena = request->arena,
                     .pairs = arena_alloc(request->arena, (size_t)MAX(n, 0) * sizeof(HttpPair))};

    MHD_get_connection_values(request->connection, kind, copy_pair, &list);
    *ret_n = list.n;
    return list.pairs;
}

static void decode_address(HttpRequest *request, const char *raw_path) {
    const char *path;

    request->path = arena_strdup(request->arena, str_from(raw_path));
    if (path_split(raw_path, request->arena, &request->segments) < 0 ||
        percent_decode(str_from(raw_path), request->arena, &path) < 0) {
        request->bad_address = true;
    } else {
        request->path = path;
    }
    for (size_t i = 0; i < request->n_query; i++) {
        HttpPair *pair = &request->query[i];
        if (percent_decode(str_from(pair->name), request->arena, &pair->name) < 0 ||
            percent_decode(str_from(pair->value), request->arena, &pair->value) < 0) {
            request->bad_address = true;
        }
    }
}

static bool is_request_id(const char *id) {
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= REQUEST_ID_MAX && id[len] == '\0';
}

/* The finalizer of MurmurHash3: a bijection, so that no two requests of a server get the same. */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
    return x ^ x >> 33;
}

static char *add_hex(char *at, uint64_t number) {
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[number >> shift & 15];
    }
    return at;
}

/* Unique, not secret: no system call a request for it. */
static const char *make_request_id(HttpRequest *request) {
    HttpServer *server = request->server;
    const char *given = http_request_header(request, "X-Request-Id");
    uint64_t number;
    char *text;

    if (given && is_request_id(given)) {
        return given;
    }
    number = atomic_fetch_add_explicit(&server->ids_made, 1, memory_order_relaxed);
    text = arena_alloc(request->arena, 33);
    add_hex(add_hex(text, server->id_base[0] ^ mix(number)), mix(server->id_base[1] + number));
    return text;
}

/* Takes the header away when it has told who calls, so that nobody looks at what is left in it. */
static void look_behind_proxies(HttpRequest *request) {
    static const Str name = {"X-Forwarded-For", 15};
    const Netguard *trusted = request->server->options.trusted_proxies;
    _cleanup_(buf_done) Buf hops = BUF_INIT;
    const char *client;
    size_t n = 0;

    for (size_t i = 0; trusted && i < request->n_headers; i++) {
        if (str_equal_nocase(str_from(request->headers[i].name), name)) {
            buf_addf(&hops, "%s%s", hops.len > 0 ? "," : "", request->headers[i].value);
        }
    }
    if (hops.len == 0) {
        return;
    }
    client = forwarded_peer(trusted, request->peer, buf_str(&hops), request->arena);
    if (client == request->peer) {
        return;
    }
    request->peer = client;
    for (size_t i = 0; i < request->n_headers; i++) {
        if (!str_equal_nocase(str_from(request->headers[i].name), name)) {
            request->headers[n++] = request->headers[i];
        }
    }
    request->n_headers = n;
}

HttpRequest *request_new(HttpServer *server, Slot *slot, struct MHD_Connection *connection,
                         const char *method, const char *path) {
    HttpRequest *request = calloc(1, sizeof(*request));
    pthread_mutexattr_t attributes;

    if (!request) {
        abort();
    }
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&request->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    atomic_init(&request->refs, 1);
    request->server = server;
    request->slot = slot;
    request->fd = slot->fd;
    request->watch_id = connection_watch_id(server, slot);
    request->connection = connection;
    request->started_us = clock_mono_us();
    atomic_init(&request->deadline_ms, (slot->served ? clock_mono_ms() : slot->since_ms) +
                                           (uint64_t)server->options.receive_timeout_s * 1000);
    request->body_fd = -1;
    request->arena = arena_new();
    request->method = arena_strdup(request->arena, str_from(method));
    request->headers = copy_pairs(request, MHD_HEADER_KIND, &request->n_headers);
    request->query = copy_pairs(request, MHD_GET_ARGUMENT_KIND, &request->n_query);
    decode_address(request, path);
    request->peer = arena_strdup(request->arena, str_from(slot->peer));
    look_behind_proxies(request);
    request->id = make_request_id(request);
    return request;
}

HttpRequest *request_ref(HttpRequest *request) {
    atomic_fetch_add(&request->refs, 1);
    return request;
}

void request_unref(HttpRequest *request) {
    if (atomic_fetch_sub(&request->refs, 1) > 1) {
        return;
    }
    if (request->response) {
        MHD_destroy_response(request->response);
    }
    reader_free(request->reader);
    stream_free(request->stream);
    body_free(request->taking);
    map_done(&request->body_map);
    fd_close(request->body_fd);
    arena_free(request->arena);
    pthread_mutex_destroy(&request->lock);
    free(request);
}

/* With the lock held, which a recursive one allows `gone` to answer in. */
static void call_gone(HttpRequest *request) {
    HttpGone *gone = TAKE_PTR(request->gone);

    request->client_gone = true;
    if (gone) {
        gone(request, request->gone_userdata);
    }
}

void request_client_gone(HttpRequest *request) {
    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_WAITING) {
        call_gone(request);
    }
    pthread_mutex_unlock(&request->lock);
}

void request_orphan_unsuspended(HttpRequest *request) {
    request->state = REQUEST_ORPHANED;
    call_gone(request);
}

void request_orphan(HttpRequest *request) {
    Reader *reader;

    pthread_mutex_lock(&request->lock);
    if (request->state == REQUEST_WAITING) {
        request->state = REQUEST_ORPHANED;
        call_gone(request);
        MHD_resume_connection(request->connection);
    } else if (request->state == REQUEST_RECEIVING && request->taking) {
        body_orphan(request);
    }
    reader = request->reader;
    pthread_mutex_unlock(&request->lock);
    if (reader) {
        reader_orphan(reader);
    }
    stream_lose(request);
}

void http_request_on_gone(HttpRequest *request, HttpGone *gone, void *userdata) {
    pthread_mutex_lock(&request->lock);
    request->gone = gone;
    request->gone_userdata = userdata;
    if (gone && request->client_gone && request->state == REQUEST_WAITING) {
        watcher_rearm(request);
    }
    pthread_mutex_unlock(&request->lock);
}

Arena *http_request_arena(HttpRequest *request) {
    return request->arena;
}

const char *http_request_id(HttpRequest *request) {
    return request->id;
}

const char *http_request_method(HttpRequest *request) {
    return request->method;
}

const char *http_request_path(HttpRequest *request) {
    return request->path;
}

const char *http_request_peer(HttpRequest *request) {
    return request->peer;
}

const char *http_request_header(HttpRequest *request, const char *name) {
    for (size_t i = 0; i < request->n_headers; i++) {
        if (str_equal_nocase(str_from(request->headers[i].name), str_from(name))) {
            return request->headers[i].value;
        }
    }
    return NULL;
}

const char *http_request_query(HttpRequest *request, const char *name) {
    for (size_t i = 0; i < request->n_query; i++) {
        if (strcmp(request->query[i].name, name) == 0) {
            return request->query[i].value;
        }
    }
    return NULL;
}

size_t http_request_query_count(HttpRequest *request, const char *name) {
    size_t n = 0;

    for (size_t i = 0; i < request->n_query; i++) {
        n += strcmp(request->query[i].name, name) == 0;
    }
    return n;
}

void http_request_query_write(HttpRequest *request, Buf *out) {
    for (size_t i = 0; i < request->n_query; i++) {
        buf_add_str(out, str_from(request->query[i].name));
        buf_add(out, "", 1);
        buf_add_str(out, str_from(request->query[i].value));
        buf_add(out, "", 1);
    }
}

const char *http_request_param(HttpRequest *request, const char *name) {
    for (size_t i = 0; i < request->n_params; i++) {
        if (str_equal(request->params[i].name, str_from(name))) {
            return request->params[i].value;
        }
    }
    assert(!"the route has no such parameter");
    return "";
}

int http_request_body_fd(HttpRequest *request) {
    return request->body_fd;
}

Str http_request_body(HttpRequest *request) {
    if (request->body_fd >= 0 && !request->body_map.data &&
        map_range(request->body_fd, 0, request->body_len, &request->body_map) < 0) {
        abort(); /* only exhausted memory is left as a reason: the file is ours and sealed */
    }
    return (Str){request->body_map.data, request->body_map.len};
}
