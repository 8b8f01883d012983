/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/download.h"

#include "base/error.h"
#include "base/http/stream.h"
#include "base/log.h"

/* What is answered at once, and not piece by piece: most thumbnails. */
#define AT_ONCE_MAX ((uint64_t)256 << 10)

const json_t *photo_file(const json_t *state, PhotoFile file) {
    const json_t *renditions = json_object_get(state, "renditions");

    switch (file) {
    case PHOTO_FILE_MEZZANINE:
        return json_object_get(renditions, "mezzanine");
    case PHOTO_FILE_THUMBNAIL:
        return json_object_get(renditions, "thumbnail");
    default:
        return state;
    }
}

PhotoFile photo_file_bare(const json_t *state, Blanks *ret_blanks) {
    const char *text = json_string_value(json_object_get(state, "metadata"));
    uint64_t size = (uint64_t)json_integer_value(json_object_get(state, "size"));

    return text && blanks_parse(str_from(text), size, ret_blanks) == 0 ? PHOTO_FILE_ORIGINAL
                                                                       : PHOTO_FILE_MEZZANINE;
}

const char *photo_file_name(const json_t *state, PhotoFile file, Arena *arena) {
    const char *name = json_string_value(json_object_get(state, "name"));
    const char *type = json_string_value(json_object_get(photo_file(state, file), "type"));
    Str stem = str_file_stem(str_from(name));

    if (file == PHOTO_FILE_ORIGINAL || !name || !type) {
        return name;
    }
    return arena_printf(arena, "%.*s.%s", (int)stem.len, stem.ptr,
                        strcmp(type, "image/webp") == 0  ? "webp"
                        : strcmp(type, "image/png") == 0 ? "png"
                                                         : "jpg");
}

/* RFC 8187, section 3.2.1: attr-char. */
static bool is_attr_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$&+-.^_`|~", c));
}

const char *content_disposition(const char *kind, const char *name, Arena *arena) {
    _cleanup_(buf_done) Buf plain = BUF_INIT, escaped = BUF_INIT;

    for (const char *c = name; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (is_attr_char(*c)) {
            buf_add(&escaped, c, 1);
        } else {
            buf_addf(&escaped, "%%%02X", byte);
        }
        if (byte >= 0x20 && byte < 0x7F) {
            buf_add(&plain, strchr("\"\\%", *c) ? "_" : c, 1);
        } else if ((byte & 0xC0) != 0x80) {
            buf_add(&plain, "_", 1);
        }
    }
    return arena_printf(arena, "%s; filename=\"%s\"; filename*=UTF-8''%s", kind, buf_cstr(&plain),
                        buf_cstr(&escaped));
}

bool is_known_to(HttpRequest *request, const char *etag) {
    Str list = str_from(http_request_header(request, "If-None-Match")), tag;

    while (list.len > 0 && str_next_token(&list, ",", &tag)) {
        tag = str_trim(tag);
        if (str_starts_with(tag, str_lit("W/"))) {
            tag = (Str){tag.ptr + 2, tag.len - 2};
        }
        if (str_equal(tag, str_from(etag)) || str_equal(tag, str_lit("*"))) {
            return true;
        }
    }
    return false;
}

/* A file on its way. */
typedef struct Sending {
    Blobs *blobs;
    StoredBlob blob;
    Blanks blanks;
    uint64_t offset, len; /* the part of it that is sent */
} Sending;

static int read_piece(void *state, uint64_t offset, void *bytes, size_t max, size_t *ret_n) {
    Sending *sending = state;
    size_t n = (size_t)MIN((uint64_t)max, sending->len - offset);
    int r = n == 0
                ? 0
                : sealed_blob_read(sending->blobs, str_from(sending->blob.name), sending->blob.key,
                                   sending->blob.size, sending->offset + offset, bytes, n);

    if (r != 0) {
        log_error("a file of the library cannot be read", LOG_STR("blob", sending->blob.name),
                  LOG_STR("error", r < 0 ? strerrordesc_np(-r) : "missing or damaged"));
        return r < 0 ? err_trace(r) : err_trace(-EIO);
    }
    blanks_apply(&sending->blanks, sending->offset + offset, bytes, n);
    *ret_n = n;
    return 0;
}

static void sent(void *state) {
    Sending *sending = state;

    stored_blob_done(&sending->blob);
    free(sending);
}

static void refuse(HttpRequest *request, int r) {
    if (r == -ENOTCONN || r == -ENOMEDIUM || r == -ETIMEDOUT) {
        http_respond_problem_coded(
            request, &(HttpProblem){.status = 503,
                                    .code = "unavailable",
                                    .title = "Service unavailable",
                                    .detail = "Please try again in a moment.",
                                    .headers = (HttpHeader[]){{"Retry-After", "5"}, {0}}});
        return;
    }
    http_respond_problem_coded(
        request, &(HttpProblem){.status = 500,
                                .code = "internal_error",
                                .title = "Internal error",
                                .detail = "The file cannot be read: tell the operator."});
}

/* The whole part is read before anything is answered. */
static void respond_at_once(HttpRequest *request, const HttpResponse *head, Sending *sending) {
    HttpResponse whole = *head;
    char *bytes = arena_alloc(http_request_arena(request), (size_t)sending->len + 1);
    size_t n = 0;
    int r = read_piece(sending, 0, bytes, (size_t)sending->len, &n);

    sent(sending);
    if (r < 0) {
        refuse(request, r);
        return;
    }
    whole.body = (Str){bytes, n};
    http_respond(request, &whole);
}

static void respond_part(HttpRequest *request, Executor *executor, const HttpResponse *head,
                         Sending *sending) {
    uint64_t size;
    int r;

    if (sending->len <= AT_ONCE_MAX) {
        respond_at_once(request, head, sending);
        return;
    }
    r = blobs_size(sending->blobs, str_from(sending->blob.name), &size);
    if (r != 0) {
        log_error("a file of the library is missing", LOG_STR("blob", sending->blob.name));
        sent(sending);
        refuse(request, r < 0 ? r : -EIO);
        return;
    }
    http_respond_reader(
        request, head, sending->len,
        &(HttpReader){.read = read_piece, .done = sent, .state = sending, .executor = executor});
}

void download_respond(HttpRequest *request, Blobs *blobs, Executor *executor, StoredBlob *blob,
                      const Download *download) {
    Arena *arena = http_request_arena(request);
    char id[UUID_TEXT_SIZE];
    const char *etag;
    HttpHeader headers[7] = {{"Cache-Control", download->cache_control},
                             {"Vary", "Authorization, Cookie"},
                             {"Accept-Ranges", "bytes"}};
    size_t n = 3;
    HttpResponse head = {.status = 200, .content_type = download->media_type, .headers = headers};
    Sending *sending;
    uint64_t offset = 0, len = blob->size;
    int r;

    uuid_text(&blob->id, id);
    etag = arena_printf(arena, "\"%s%s\"", id, download->blanks ? "-bare" : "");
    headers[n++] = (HttpHeader){"ETag", etag};
    if (download->name) {
        headers[n++] = (HttpHeader){"Content-Disposition",
                                    content_disposition("inline", download->name, arena)};
    }
    if (is_known_to(request, etag)) {
        head.status = 304;
        head.content_type = NULL;
        stored_blob_done(blob);
        http_respond(request, &head);
        return;
    }
    r = http_request_range(request, blob->size, etag, &offset, &len);
    if (r == 0) {
        head.status = 206;
        headers[n] = (HttpHeader){
            "Content-Range",
            arena_printf(arena, "bytes %llu-%llu/%llu", (unsigned long long)offset,
                         (unsigned long long)(offset + len - 1), (unsigned long long)blob->size)};
    } else if (r == HTTP_RANGE_UNSATISFIABLE) {
        head = (HttpResponse){.status = 416, .headers = headers};
        headers[n] = (HttpHeader){
            "Content-Range", arena_printf(arena, "bytes */%llu", (unsigned long long)blob->size)};
        stored_blob_done(blob);
        http_respond(request, &head);
        return;
    } else {
        offset = 0;
        len = blob->size;
    }
    sending = malloc(sizeof(*sending));
    if (!sending) {
        abort();
    }
    *sending = (Sending){.blobs = blobs, .blob = *blob, .offset = offset, .len = len};
    if (download->blanks) {
        sending->blanks = *download->blanks;
    }
    stored_blob_done(blob);
    respond_part(request, executor, &head, sending);
}
