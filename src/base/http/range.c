/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/stream.h"

#include <errno.h>

/* A position; what does not fit lies behind any end. */
static bool parse_position(Str text, uint64_t *ret_position) {
    int r = str_to_u64(text, ret_position);

    if (r == -ERANGE) {
        *ret_position = UINT64_MAX;
    }
    return r == 0 || r == -ERANGE;
}

static int suffix_range(uint64_t wanted, uint64_t size, uint64_t *ret_offset, uint64_t *ret_len) {
    if (wanted == 0) {
        return HTTP_RANGE_UNSATISFIABLE;
    }
    if (size == 0) {
        return HTTP_RANGE_NONE; /* all of it, which no Content-Range can say */
    }
    *ret_len = MIN(wanted, size);
    *ret_offset = size - *ret_len;
    return 0;
}

int http_request_range(HttpRequest *request, uint64_t size, const char *etag, uint64_t *ret_offset,
                       uint64_t *ret_len) {
    const char *header = http_request_header(request, "Range");
    const char *condition = http_request_header(request, "If-Range");
    Str rest = str_from(header), unit, first;
    uint64_t from, to = UINT64_MAX;

    if (!header || strcmp(http_request_method(request), "GET") != 0 ||
        (condition && (!etag || strcmp(condition, etag) != 0 || condition[0] != '"')) ||
        !str_next_token(&rest, "=", &unit) || !str_equal_nocase(unit, str_lit("bytes"))) {
        return HTTP_RANGE_NONE;
    }
    if (!str_next_token(&rest, "-", &first) || !rest.ptr ||
        (rest.len > 0 && !parse_position(rest, &to))) {
        return HTTP_RANGE_NONE;
    }
    if (first.len == 0) {
        return rest.len > 0 ? suffix_range(to, size, ret_offset, ret_len) : HTTP_RANGE_NONE;
    }
    if (!parse_position(first, &from) || to < from) {
        return HTTP_RANGE_NONE;
    }
    if (from >= size) {
        return HTTP_RANGE_UNSATISFIABLE;
    }
    *ret_offset = from;
    *ret_len = MIN(to, size - 1) - from + 1;
    return 0;
}

bool http_request_body_len(HttpRequest *request, uint64_t *ret_len) {
    const char *length = http_request_header(request, "Content-Length");

    return length && !http_request_header(request, "Transfer-Encoding") &&
           str_to_u64(str_trim(str_from(length)), ret_len) == 0;
}
