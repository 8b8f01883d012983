/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/library_copy/http/library_copy_http.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/http/client.h"

#define TRIES 2

typedef struct LibraryCopyHttp {
    LibraryCopy base; /* first */
    LibraryCopyHttpOptions options;
    HttpClient *http;
} LibraryCopyHttp;

/* 0 with an answer of 200 or 204, or a fault. */
static int ask(LibraryCopyHttp *self, HttpClientCall *call, Arena *arena,
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

static int post(LibraryCopyHttp *self, const char *path, const Uuid *user_id,
                LibraryCopyQuestion *question, HttpClientCall *call, Arena *arena,
                HttpClientAnswer *ret_answer) {
    char id[UUID_TEXT_SIZE];
    int r = -ENOTCONN;

    uuid_text(user_id, id);
    question->user_id = id;
    _cleanup_(json_decrefp) json_t *json = json_write(library_copy_question_fields, question);
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
    LibraryCopyAnswer answer = {0};
    const char *where;

    if (!json || json_read(json, library_copy_answer_fields, arena, &answer, &where) < 0) {
        return err_trace(-ENOTCONN);
    }
    *ret_file = (LibraryFile){.at = answer.at,
                              .name = answer.name,
                              .at_s = answer.at_s,
                              .size = answer.size,
                              .text = answer.text ? str_from(answer.text) : (Str){0}};
    return answer.text && ret_file->text.len != answer.size ? err_trace(-ENOTCONN) : 0;
}

static int next(LibraryCopy *base, const Uuid *user_id, const char *at, Arena *arena,
                LibraryFile *ret_file) {
    LibraryCopyQuestion question = {.at = at};
    HttpClientCall call = {.answer_max = 2 * LIBRARY_COPY_TEXT_MAX}; /* escaped it is longer */
    HttpClientAnswer answer;
    int r =
        post((LibraryCopyHttp *)base, LIBRARY_COPY_NEXT, user_id, &question, &call, arena, &answer);

    if (r < 0 || answer.status == 204) {
        return r < 0 ? err_trace(r) : LIBRARY_COPY_E_END;
    }
    return read_answer(answer.body, arena, ret_file);
}

static int read(LibraryCopy *base, const Uuid *user_id, const char *at, uint64_t offset,
                void *ret_bytes, size_t len) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    LibraryCopyQuestion question = {.at = at, .offset = offset, .len = len};
    HttpClientCall call = {.answer_max = len, .into = ret_bytes};
    HttpClientAnswer answer;
    int r =
        post((LibraryCopyHttp *)base, LIBRARY_COPY_READ, user_id, &question, &call, arena, &answer);

    if (r < 0 || answer.status == 204) {
        return r < 0 ? err_trace(r) : LIBRARY_COPY_E_UNREADABLE;
    }
    return answer.body.len == len ? 0 : err_trace(-ENOTCONN);
}

int library_copy_http_new(const LibraryCopyHttpOptions *options, LibraryCopy **ret_copy,
                          const char **reterr) {
    static const LibraryCopyImpl impl = {.next = next, .read = read};
    HttpClient *http = http_client_new(&(HttpClientOptions){
        .url = options->url, .ca_file = options->ca_file, .timeout_ms = options->timeout_ms});
    LibraryCopyHttp *self;

    if (!http) {
        *reterr = "give http://HOST:PORT or https://HOST:PORT, without a user name";
        return -EINVAL;
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    *self = (LibraryCopyHttp){{&impl}, *options, http};
    *ret_copy = &self->base;
    return 0;
}

LibraryCopy *library_copy_http_free(LibraryCopy *copy) {
    if (copy) {
        LibraryCopyHttp *self = (LibraryCopyHttp *)copy;
        http_client_free(self->http);
        free(self);
    }
    return NULL;
}
