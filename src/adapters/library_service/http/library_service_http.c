/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/library_service/http/library_service_http.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/http/client.h"
#include "core/erasure/erased_table.h"

#define TRIES           2
#define ERASED_TEXT_MAX ((size_t)64 << 10)

typedef struct LibraryServiceHttp {
    LibraryService base; /* first */
    LibraryServiceHttpOptions options;
    HttpClient *http;
} LibraryServiceHttp;

/* 0 with an answer of 200 or 204, or a fault. */
static int ask(LibraryServiceHttp *self, HttpClientCall *call, Arena *arena,
               HttpClientAnswer *ret_answer) {
    _cleanup_(buf_done) Buf token = BUF_INIT;
    int r = service_token_sign(self->options.signer, clock_unix_s(), &token);
    const char *headers[] = {
        "Content-Type: application/json",
        arena_printf(arena, "Authorization: Bearer %s", buf_cstr(&token)),
        NULL,
    };

    call->headers = headers;
    if (r == 0) {
        r = http_client_send(self->http, call, arena, ret_answer);
    }
    if (r < 0 || (ret_answer->status != 200 && ret_answer->status != 204)) {
        return r == 0 && ret_answer->status == 400 ? -EINVAL : -ENOTCONN;
    }
    return 0;
}

static int post(LibraryServiceHttp *self, const char *path, const Uuid *user_id,
                LibraryServiceQuestion *question, HttpClientCall *call, Arena *arena,
                HttpClientAnswer *ret_answer) {
    char id[UUID_TEXT_SIZE];
    int r = -ENOTCONN;

    uuid_text(user_id, id);
    question->user_id = id;
    _cleanup_(json_decrefp) json_t *json = json_write(library_service_question_fields, question);
    _cleanup_(freep) char *body = json_dumps(json, JSON_COMPACT);
    call->method = "POST";
    call->path = path;
    call->body = str_from(body);
    for (unsigned i = 0; r == -ENOTCONN && i < TRIES; i++) {
        r = ask(self, call, arena, ret_answer);
    }
    return err_trace(r);
}

static int read_answer(Str body, Arena *arena, LibraryFile *ret_file) {
    _cleanup_(json_decrefp) json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
    LibraryServiceAnswer answer = {0};
    const char *where;

    if (!json || json_read(json, library_service_answer_fields, arena, &answer, &where) < 0) {
        return err_trace(-ENOTCONN);
    }
    *ret_file = (LibraryFile){.at = answer.at,
                              .name = answer.name,
                              .at_s = answer.at_s,
                              .size = answer.size,
                              .text = answer.text ? str_from(answer.text) : (Str){0}};
    return answer.text && ret_file->text.len != answer.size ? err_trace(-ENOTCONN) : 0;
}

static int next(LibraryService *base, const Uuid *user_id, const char *at, Arena *arena,
                LibraryFile *ret_file) {
    LibraryServiceQuestion question = {.at = at};
    HttpClientCall call = {.answer_max = 2 * LIBRARY_SERVICE_TEXT_MAX}; /* escaped it is longer */
    HttpClientAnswer answer;
    int r = post((LibraryServiceHttp *)base, LIBRARY_SERVICE_NEXT, user_id, &question, &call, arena,
                 &answer);

    if (r < 0 || answer.status == 204) {
        return r < 0 ? err_trace(r) : LIBRARY_SERVICE_E_END;
    }
    return read_answer(answer.body, arena, ret_file);
}

static int read(LibraryService *base, const Uuid *user_id, const char *at, uint64_t offset,
                void *ret_bytes, size_t len) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    LibraryServiceQuestion question = {.at = at, .offset = offset, .len = len};
    HttpClientCall call = {.answer_max = len, .into = ret_bytes};
    HttpClientAnswer answer;
    int r = post((LibraryServiceHttp *)base, LIBRARY_SERVICE_READ, user_id, &question, &call, arena,
                 &answer);

    if (r < 0 || answer.status == 204) {
        return r < 0 ? err_trace(r) : LIBRARY_SERVICE_E_UNREADABLE;
    }
    return answer.body.len == len ? 0 : err_trace(-ENOTCONN);
}

static int add_rows(json_t *rows, const json_t *more) {
    const char *table;
    json_t *n;

    json_object_foreach((json_t *)more, table, n) {
        if (!json_is_integer(n) || json_integer_value(n) < 0) {
            return err_trace(-ENOTCONN);
        }
        erased_rows_add(rows, table, (uint64_t)json_integer_value(n));
    }
    return 0;
}

static int erase(LibraryService *base, const Uuid *user_id, json_t *rows) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(json_decrefp) json_t *json = NULL;
    LibraryServiceQuestion question = {0};
    HttpClientCall call = {.answer_max = ERASED_TEXT_MAX};
    HttpClientAnswer answer;
    json_t *more_rows;
    int more, r;

    r = post((LibraryServiceHttp *)base, LIBRARY_SERVICE_ERASE, user_id, &question, &call, arena,
             &answer);
    if (r < 0) {
        return err_trace(r);
    }
    json = json_loadb(answer.body.ptr ? answer.body.ptr : "", answer.body.len, 0, NULL);
    if (!json || json_unpack(json, "{s:b,s:o}", "more", &more, "rows", &more_rows) < 0) {
        return err_trace(-ENOTCONN);
    }
    r = add_rows(rows, more_rows);
    return r < 0 ? err_trace(r) : more ? LIBRARY_SERVICE_E_MORE : 0;
}

int library_service_http_new(const LibraryServiceHttpOptions *options, LibraryService **ret_service,
                             const char **reterr) {
    static const LibraryServiceImpl impl = {.next = next, .read = read, .erase = erase};
    HttpClient *http = http_client_new(&(HttpClientOptions){
        .url = options->url, .ca_file = options->ca_file, .timeout_ms = options->timeout_ms});
    LibraryServiceHttp *self;

    if (!http) {
        *reterr = "give http://HOST:PORT or https://HOST:PORT, without a user name";
        return -EINVAL;
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    *self = (LibraryServiceHttp){{&impl}, *options, http};
    *ret_service = &self->base;
    return 0;
}

LibraryService *library_service_http_free(LibraryService *service) {
    if (service) {
        LibraryServiceHttp *self = (LibraryServiceHttp *)service;
        http_client_free(self->http);
        free(self);
    }
    return NULL;
}
