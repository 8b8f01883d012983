/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/multipart_stream.h"

#include "base/error.h"
#include "base/http/form_internal.h"

#define BOUNDARY_MAX  70 /* RFC 2046, section 5.1.1 */
#define HEADERS_MAX   ((size_t)8192)
#define LINE_REST_MAX ((size_t)256) /* blanks after a boundary */

typedef enum State {
    PREAMBLE,
    LINE, /* after a boundary */
    HEADERS,
    BODY,
    CLOSED, /* whatever follows is nobody's (RFC 2046, section 5.1.1) */
} State;

struct MultipartStream {
    MultipartSink sink;
    Arena *arena; /* of the part */
    FormBuilder builder;
    State state;
    bool in_part; /* LINE: a part ends if this is a boundary */
    size_t skip;  /* bytes of the buffer that are the line end before the data */
    size_t n_parts;
    const char *detail;
    Buf buffer;
    size_t delimiter_len;
    char delimiter[BOUNDARY_MAX + 5]; /* CRLF "--" boundary */
};

MultipartStream *multipart_stream_new(const char *content_type, const MultipartSink *sink) {
    Str header = str_from(content_type), rest = header, type, boundary;
    MultipartStream *stream;
    Arena *arena;

    if (!str_next_token(&rest, ";", &type) ||
        !str_equal_nocase(str_trim(type), str_lit("multipart/form-data"))) {
        return NULL;
    }
    arena = arena_new();
    if (!form_header_param(arena, header, "boundary", &boundary) || boundary.len == 0 ||
        boundary.len > BOUNDARY_MAX) {
        arena_free(arena);
        return NULL;
    }
    stream = calloc(1, sizeof(*stream));
    if (!stream) {
        abort();
    }
    stream->sink = *sink;
    stream->arena = arena;
    stream->detail = "The body ends before its last boundary.";
    memcpy(stream->delimiter, "\r\n--", 4);
    memcpy(stream->delimiter + 4, boundary.ptr, boundary.len);
    stream->delimiter_len = boundary.len + 4;
    buf_add(&stream->buffer, "\r\n", 2); /* the first boundary has no line before it */
    return stream;
}

MultipartStream *multipart_stream_free(MultipartStream *stream) {
    if (stream) {
        arena_free(stream->arena);
        buf_done(&stream->buffer);
        free(stream);
    }
    return NULL;
}

static int fail(MultipartStream *stream, const char *detail) {
    stream->detail = detail;
    return MULTIPART_E_MALFORMED;
}

static void drop(MultipartStream *stream, size_t n) {
    memmove(stream->buffer.data, stream->buffer.data + n, stream->buffer.len - n);
    stream->buffer.len -= n;
}

/* The first n bytes of the buffer are the part's. */
static int emit(MultipartStream *stream, size_t n) {
    size_t skip = MIN(stream->skip, n);
    int r = 0;

    if (stream->in_part && n > skip) {
        r = stream->sink.bytes(stream->sink.userdata, (Str){stream->buffer.data + skip, n - skip});
    }
    stream->skip -= skip;
    drop(stream, n);
    return r;
}

enum {
    STEP_MORE = -100000, /* nothing more to do before there are more bytes */
};

static int read_data(MultipartStream *stream) {
    const Buf *buffer = &stream->buffer;
    const char *at = memmem(buffer->data, buffer->len, stream->delimiter, stream->delimiter_len);
    int r;

    if (at) {
        r = emit(stream, (size_t)(at - buffer->data));
        stream->state = LINE;
        return r;
    }
    if (buffer->len >= stream->delimiter_len) {
        r = emit(stream, buffer->len - stream->delimiter_len + 1);
        return r != 0 ? r : STEP_MORE;
    }
    return STEP_MORE;
}

/* Whether what begins the buffer is a boundary's line, of that length; -1: it cannot be told yet.
 */
static int line_end(const MultipartStream *stream, bool *ret_is_last, size_t *ret_len) {
    const Buf *buffer = &stream->buffer;
    size_t at = stream->delimiter_len;

    if (buffer->len < at + 2) {
        return -1;
    }
    *ret_is_last = memcmp(buffer->data + at, "--", 2) == 0;
    if (*ret_is_last) {
        *ret_len = at + 2; /* some clients send no or half a line end here */
        return true;
    }
    while (at < buffer->len && (buffer->data[at] == ' ' || buffer->data[at] == '\t')) {
        at++;
    }
    if (buffer->len < at + 2) {
        return at > stream->delimiter_len + LINE_REST_MAX ? false : -1;
    }
    *ret_len = at + 2;
    return memcmp(buffer->data + at, "\r\n", 2) == 0;
}

static int read_line(MultipartStream *stream) {
    bool is_last;
    size_t len;
    int found = line_end(stream, &is_last, &len), r = 0;

    if (found < 0) {
        return STEP_MORE;
    }
    if (!found) { /* data that only begins like one */
        stream->state = stream->in_part ? BODY : PREAMBLE;
        return emit(stream, 1);
    }
    if (stream->in_part) {
        r = stream->sink.end(stream->sink.userdata);
    }
    stream->in_part = false;
    stream->skip = 0;
    stream->state = is_last ? CLOSED : HEADERS;
    drop(stream, len);
    return r;
}

static int begin_part(MultipartStream *stream, Str text) {
    PartHeaders headers;

    arena_free(stream->arena);
    stream->arena = arena_new();
    stream->builder = (FormBuilder){.arena = stream->arena};
    if (++stream->n_parts > MULTIPART_PARTS_MAX) {
        return fail(stream, "The body has more than 1000 parts.");
    }
    if (form_read_part_headers(&stream->builder, text, &headers) != 0) {
        return fail(stream, stream->builder.detail);
    }
    return stream->sink.begin(stream->sink.userdata,
                              &(MultipartPart){.name = headers.name,
                                               .is_file = headers.is_file,
                                               .filename = headers.filename});
}

static int read_headers(MultipartStream *stream) {
    const Buf *buffer = &stream->buffer;
    const char *end = memmem(buffer->data, MIN(buffer->len, HEADERS_MAX + 4), "\r\n\r\n", 4);
    int r;

    if (!end) {
        return buffer->len >= HEADERS_MAX + 4
                   ? fail(stream, "The headers of a part are longer than 8 KiB.")
                   : STEP_MORE;
    }
    r = begin_part(stream, (Str){buffer->data, (size_t)(end - buffer->data)});
    if (r != 0) {
        return r;
    }
    stream->in_part = true;
    stream->state = BODY;
    /* The blank line's own end may be the one of the next boundary: then the part is empty. */
    stream->skip = 2;
    drop(stream, (size_t)(end - buffer->data) + 2);
    return 0;
}

static int step(MultipartStream *stream) {
    switch (stream->state) {
    case PREAMBLE:
    case BODY:
        return read_data(stream);
    case LINE:
        return read_line(stream);
    case HEADERS:
        return read_headers(stream);
    case CLOSED:
        stream->buffer.len = 0;
        return STEP_MORE;
    }
    return STEP_MORE;
}

int multipart_stream_add(MultipartStream *stream, Str bytes) {
    int r = 0;

    if (stream->state == CLOSED) {
        return 0;
    }
    buf_add_str(&stream->buffer, bytes);
    while (r == 0) {
        r = step(stream);
    }
    return r == STEP_MORE ? 0 : r;
}

bool multipart_stream_is_whole(const MultipartStream *stream) {
    return stream->state == CLOSED;
}

const char *multipart_stream_detail(const MultipartStream *stream) {
    return stream->detail;
}
