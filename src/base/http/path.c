/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/path.h"

#include "base/error.h"

#include <assert.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(Str escaped, Arena *arena, const char **ret_text) {
    char *text = arena_alloc(arena, escaped.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.ptr[i];
        if (c == '%') {
            int high = i + 2 < escaped.len ? hex_digit(escaped.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(escaped.ptr[i + 2]) : -1;
            if (low < 0) {
                return -EINVAL;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            return -EINVAL;
        }
        text[len++] = c;
    }
    if (!str_is_utf8((Str){text, len})) {
        return -EINVAL;
    }
    *ret_text = text;
    return 0;
}

static bool has_control(const char *text) {
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return true;
        }
    }
    return false;
}

int path_split(const char *path, Arena *arena, PathSegments *ret_segments) {
    PathSegments split = {0};
    Str rest = str_from(path), segment;
    size_t most = 1;

    if (path[0] != '/') {
        return -EINVAL;
    }
    for (const char *c = path; *c; c++) {
        most += *c == '/';
    }
    split.segments = arena_alloc(arena, most * sizeof(*split.segments));
    str_next_token(&rest, "/", &segment); /* before the first slash */
    while (str_next_token(&rest, "/", &segment)) {
        const char **to = &split.segments[split.n++];
        if (percent_decode(segment, arena, to) < 0 || has_control(*to)) {
            return -EINVAL;
        }
    }
    *ret_segments = split;
    return 0;
}

static bool is_param(Str segment) {
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

/* The end of the pattern's segment when the given one is the same; or NULL. */
static const char *match_literal(const char *pattern, const char *given) {
    while (*given && *pattern == *given && *pattern != '/') {
        pattern++;
        given++;
    }
    return *given == '\0' && (*pattern == '/' || *pattern == '\0') ? pattern : NULL;
}

/* The same for "{name}", which takes any that is not empty. */
static const char *match_param(const char *pattern, const char *given, PathParam *ret_param) {
    const char *end = strchrnul(pattern, '/');
    Str segment = {pattern, (size_t)(end - pattern)};

    if (!is_param(segment)) {
        return match_literal(pattern, given);
    }
    *ret_param = (PathParam){{segment.ptr + 1, segment.len - 2}, given};
    return given[0] ? end : NULL;
}

/* Asked of every route with every request. */
int path_match(const PathSegments *path, const char *pattern,
               PathParam ret_params[PATH_PARAMS_MAX]) {
    int n = 0;

    assert(pattern[0] == '/');
    for (size_t at = 0; at < path->n; at++) {
        PathParam param = {0};
        pattern = pattern[1] == '{' ? match_param(pattern + 1, path->segments[at], &param)
                                    : match_literal(pattern + 1, path->segments[at]);
        if (!pattern) {
            return -1;
        }
        if (param.value) {
            assert(n < PATH_PARAMS_MAX);
            ret_params[n++] = param;
        }
        if (*pattern == '\0') {
            return at + 1 == path->n ? n : -1;
        }
    }
    return -1;
}
