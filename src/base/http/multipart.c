/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data (RFC 7578) over RFC 2046, section 5.1. The body is searched for its
 * delimiter lines from front to back once; a part is what lies between two of them. Every byte is
 * looked at a bounded number of times, since a delimiter has at most 74 bytes and the header of a
 * part at most HEADERS_MAX.
 */
#include "base/http/form_internal.h"

#define BOUNDARY_MAX 70 /* RFC 2046, section 5.1.1 */
#define HEADERS_MAX  ((size_t)8192)

typedef struct Multipart {
    Str delimiter; /* CRLF "--" boundary */
    Str rest;      /* what follows the last delimiter line */
    bool closed;   /* that one was the closing one */
} Multipart;

static Str from(Str s, size_t offset) {
    return (Str){s.ptr + offset, s.len - offset};
}

static bool find(Str haystack, Str needle, size_t *ret_at) {
    const char *at =
        haystack.ptr ? memmem(haystack.ptr, haystack.len, needle.ptr, needle.len) : NULL;
    if (!at) {
        return false;
    }
    *ret_at = (size_t)(at - haystack.ptr);
    return true;
}

/*
 * What may follow the boundary on its line: "--" when it is the last one, blanks, the line's end.
 * A line that only begins like a delimiter is data.
 */
static bool end_delimiter_line(Multipart *multipart, Str after) {
    bool closed = str_starts_with(after, str_lit("--"));

    if (closed) {
        after = from(after, 2);
    }
    while (after.len > 0 && (after.ptr[0] == ' ' || after.ptr[0] == '\t')) {
        after = from(after, 1);
    }
    if (closed && (after.len == 0 || after.ptr[0] == '\n')) {
        multipart->closed = true; /* some clients send no or half a line end here */
        return true;
    }
    if (!str_starts_with(after, str_lit("\r\n"))) {
        return false;
    }
    multipart->closed = closed;
    multipart->rest = from(after, 2);
    return true;
}

/* Takes everything up to the next delimiter line off `text`, which holds the CRLF before it. */
static bool take_until_delimiter(Multipart *multipart, Str text, Str *ret_part) {
    Str rest = text;
    const char *at;

    while ((at = memchr(rest.ptr, '\r', rest.len))) {
        rest = from(rest, (size_t)(at - rest.ptr));
        if (str_starts_with(rest, multipart->delimiter) &&
            end_delimiter_line(multipart, from(rest, multipart->delimiter.len))) {
            *ret_part = (Str){text.ptr, (size_t)(at - text.ptr)};
            return true;
        }
        rest = from(rest, 1);
    }
    return false;
}

static int open_multipart(FormBuilder *builder, Str content_type, Str body,
                          Multipart *ret_multipart) {
    Str boundary, preamble, first;

    if (!form_header_param(builder->arena, content_type, "boundary", &boundary) ||
        boundary.len == 0 || boundary.len > BOUNDARY_MAX) {
        return form_fail(builder, FORM_E_MALFORMED,
                         "The Content-Type must have a boundary of 1 to 70 characters.");
    }
    *ret_multipart = (Multipart){
        .delimiter =
            str_from(arena_printf(builder->arena, "\r\n--%.*s", (int)boundary.len, boundary.ptr)),
    };
    first = from(ret_multipart->delimiter, 2);
    if (str_starts_with(body, first) && end_delimiter_line(ret_multipart, from(body, first.len))) {
        return 0;
    }
    if (!take_until_delimiter(ret_multipart, body, &preamble)) {
        return form_fail(builder, FORM_E_MALFORMED, "The boundary does not occur in the body.");
    }
    return 0;
}

/* One header with its continuation lines (RFC 5322, section 2.2.3) off the front of `headers`. */
static bool next_header(Arena *arena, Str *headers, Str *ret_name, Str *ret_value) {
    char *text;
    size_t end = 0, at, colon;

    if (headers->len == 0) {
        return false;
    }
    do {
        end += find(from(*headers, end), str_lit("\r\n"), &at) ? at + 2 : headers->len - end;
    } while (end < headers->len && (headers->ptr[end] == ' ' || headers->ptr[end] == '\t'));
    text = arena_strdup(arena, (Str){headers->ptr, end});
    *headers = from(*headers, end);
    for (size_t i = 0; i < end; i++) {
        if (text[i] == '\r' || text[i] == '\n') {
            text[i] = ' ';
        }
    }
    *ret_name = (Str){0};
    if (find((Str){text, end}, str_lit(":"), &colon)) {
        *ret_name = str_trim((Str){text, colon});
        *ret_value = str_trim((Str){text + colon + 1, end - colon - 1});
    }
    return true;
}

/* RFC 8187: charset'language'text; only UTF-8 is read. */
static bool extended_value(Arena *arena, Str value, Str *ret_text) {
    Str charset, language;

    if (!str_next_token(&value, "'", &charset) || !str_next_token(&value, "'", &language) ||
        !value.ptr || !str_equal_nocase(charset, str_lit("UTF-8"))) {
        return false;
    }
    *ret_text = form_unescape(arena, value, false);
    return true;
}

static int read_disposition(FormBuilder *builder, Str value, PartHeaders *headers) {
    Str parameters = value, type, extended;

    str_next_token(&parameters, ";", &type);
    if (!str_equal_nocase(str_trim(type), str_lit("form-data")) || headers->named ||
        !form_header_param(builder->arena, value, "name", &headers->name)) {
        return form_fail(builder, FORM_E_MALFORMED,
                         "Each part must have one Content-Disposition: form-data with a name.");
    }
    headers->named = true;
    headers->is_file = form_header_param(builder->arena, value, "filename", &headers->filename);
    if (form_header_param(builder->arena, value, "filename*", &extended) &&
        extended_value(builder->arena, extended, &extended)) {
        headers->is_file = true;
        headers->filename = extended;
    }
    return 0;
}

static bool is_identity_encoding(Str value) {
    return str_equal_nocase(value, str_lit("binary")) || str_equal_nocase(value, str_lit("8bit")) ||
           str_equal_nocase(value, str_lit("7bit"));
}

int form_read_part_headers(FormBuilder *builder, Str text, PartHeaders *ret_headers) {
    Str name, value;

    *ret_headers = (PartHeaders){0};
    while (next_header(builder->arena, &text, &name, &value)) {
        int r = 0;
        if (name.len == 0) {
            r = form_fail(builder, FORM_E_MALFORMED, "A part has a header without a colon.");
        } else if (str_equal_nocase(name, str_lit("content-disposition"))) {
            r = read_disposition(builder, value, ret_headers);
        } else if (str_equal_nocase(name, str_lit("content-transfer-encoding")) &&
                   !is_identity_encoding(value)) {
            r = form_fail(builder, FORM_E_MALFORMED,
                          "A part's Content-Transfer-Encoding must be binary (RFC 7578).");
        }
        if (r != 0) {
            return r;
        }
    }
    if (!ret_headers->named) {
        return form_fail(builder, FORM_E_MALFORMED, "A part has no Content-Disposition.");
    }
    return 0;
}

/* A part begins at multipart->rest, just after a delimiter line. */
static int read_part(FormBuilder *builder, Multipart *multipart) {
    Str head = {multipart->rest.ptr, MIN(multipart->rest.len, HEADERS_MAX)};
    Str value;
    PartHeaders headers;
    size_t end;
    int r;

    if (!find(head, str_lit("\r\n\r\n"), &end)) {
        return form_fail(builder, FORM_E_MALFORMED,
                         "The headers of a part do not end, or are longer than 8 KiB.");
    }
    r = form_read_part_headers(builder, (Str){head.ptr, end}, &headers);
    if (r != 0) {
        return r;
    }
    /* The blank line's own CRLF may be the one of the next delimiter: then the part is empty. */
    if (!take_until_delimiter(multipart, from(multipart->rest, end + 2), &value)) {
        return form_fail(builder, FORM_E_MALFORMED, "The body ends before its last boundary.");
    }
    value = value.len >= 2 ? from(value, 2) : (Str){value.ptr, 0};
    return form_add(builder, headers.name, headers.is_file ? &headers.filename : NULL, value);
}

int form_read_multipart(FormBuilder *builder, Str content_type, Str body) {
    Multipart multipart = {0};
    int r;

    if (body.len == 0) {
        return form_fail(builder, FORM_E_MALFORMED, "The body is empty.");
    }
    r = open_multipart(builder, content_type, body, &multipart);
    while (r == 0 && !multipart.closed) {
        r = read_part(builder, &multipart);
    }
    return r;
}
