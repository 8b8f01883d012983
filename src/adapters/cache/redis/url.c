/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/url.h"

#include "base/error.h"

#include <ctype.h>

#define EXPECTED "expected redis://[[user]:password@]host[:port][/database], or rediss:// for TLS"

static int hex_digit(char c) {
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* 0, or -EINVAL for a % that two hexadecimal digits do not follow, and for NUL. */
static int percent_decode(Str text, Arena *arena, Str *ret_decoded) {
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return -EINVAL;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            return -EINVAL;
        }
        out[len++] = c;
    }
    *ret_decoded = (Str){out, len};
    return 0;
}

/* Cuts off what stands before the byte, and the byte; false when it is not there. */
static bool cut_before(Str *rest, const char *at, Str *ret_before) {
    if (!at) {
        return false;
    }
    *ret_before = (Str){rest->ptr, (size_t)(at - rest->ptr)};
    rest->len -= ret_before->len + 1;
    rest->ptr = at + 1;
    return true;
}

static int parse_credentials(Str text, Arena *arena, RedisUrl *url) {
    Str user, password = text;

    if (!cut_before(&password, memchr(text.ptr, ':', text.len), &user) || password.len == 0 ||
        percent_decode(user, arena, &user) < 0 ||
        percent_decode(password, arena, &url->password) < 0) {
        return -EINVAL;
    }
    url->user = arena_strdup(arena, user);
    return 0;
}

static int parse_address(Str text, Arena *arena, RedisUrl *url) {
    Str host = text, port = str_lit("6379");
    uint64_t number;
    bool v6 = text.len > 0 && text.ptr[0] == '[';

    if (v6) {
        Str rest = {text.ptr + 1, text.len - 1};
        if (!cut_before(&rest, memchr(rest.ptr, ']', rest.len), &host)) {
            return -EINVAL;
        }
        if (rest.len > 0 && rest.ptr[0] != ':') {
            return -EINVAL;
        }
        port = rest.len > 0 ? (Str){rest.ptr + 1, rest.len - 1} : port;
    } else {
        Str rest = text;
        if (cut_before(&rest, memchr(text.ptr, ':', text.len), &host)) {
            port = rest;
        }
    }
    if (host.len == 0 || str_to_u64(port, &number) < 0 || number == 0 || number > 65535) {
        return -EINVAL;
    }
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (!isalnum(c) && !strchr(v6 ? ":." : ".-_", c)) {
            return -EINVAL;
        }
    }
    url->host = arena_strdup(arena, host);
    url->port = arena_strdup(arena, port);
    return 0;
}

static int fail(const char *text, const char **reterr_text) {
    *reterr_text = text;
    return -EINVAL;
}

int redis_url_parse(const char *text, Arena *arena, RedisUrl *ret_url, const char **reterr_text) {
    Str scheme = str_lit("redis://"), rest = str_from(text), part;
    RedisUrl url = {.user = "", .password = {"", 0}};
    uint64_t database = 0;
    const char *slash;

    if (str_starts_with(rest, str_lit("rediss://"))) {
        scheme = str_lit("rediss://");
        url.tls = true;
    } else if (!str_starts_with(rest, scheme)) {
        return fail(EXPECTED, reterr_text);
    }
    rest = (Str){rest.ptr + scheme.len, rest.len - scheme.len};
    slash = memchr(rest.ptr, '/', rest.len);
    if (slash) {
        Str path = {slash + 1, rest.len - (size_t)(slash - rest.ptr) - 1};
        if (path.len > 0 && (str_to_u64(path, &database) < 0 || database > REDIS_DATABASE_MAX)) {
            return fail("the database of Redis is a number after the '/'; " EXPECTED, reterr_text);
        }
        rest.len = (size_t)(slash - rest.ptr);
    }
    url.database = (unsigned)database;
    /* The last '@', so that one that somebody forgot to encode does no harm. */
    if (cut_before(&rest, memrchr(rest.ptr, '@', rest.len), &part) &&
        parse_credentials(part, arena, &url) < 0) {
        return fail("before the '@' stands user:password or :password, with other than letters "
                    "and digits written as %XX; " EXPECTED,
                    reterr_text);
    }
    if (parse_address(rest, arena, &url) < 0) {
        return fail("host or port of Redis is wrong; " EXPECTED, reterr_text);
    }
    *ret_url = url;
    return 0;
}
