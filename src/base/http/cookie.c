/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/cookie.h"

#include "base/error.h"
#include "base/http/server_internal.h"

#define TOKEN_PUNCTUATION "!#$%&'*+-.^_`|~"

static bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text) {
    for (const char *c = text; *c; c++) {
        if (!is_alphanumeric(*c) && !strchr(TOKEN_PUNCTUATION, *c)) {
            return false;
        }
    }
    return *text != '\0';
}

/* cookie-octet of RFC 6265, section 4.1.1. */
static bool is_value(const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || strchr("\",;\\", *c)) {
            return false;
        }
    }
    return true;
}

static bool is_path(const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c < ' ' || *c >= 0x7f || *c == ';') {
            return false;
        }
    }
    return *text == '/';
}

/* Browsers compare the prefixes without regard to case. */
static bool has_prefix(const char *name, const char *prefix) {
    return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

int http_cookie_format(const HttpCookie *cookie, Arena *arena, const char **ret_value) {
    static const char *const same_site[] = {"Lax", "Strict", "None"};
    const char *path = cookie->path ? cookie->path : "/";
    const char *max_age = "";

    if (!is_token(cookie->name) || !is_value(cookie->value) || !is_path(path)) {
        return -EINVAL;
    }
    if (!cookie->secure &&
        (has_prefix(cookie->name, "__Host-") || has_prefix(cookie->name, "__Secure-") ||
         cookie->same_site == HTTP_SAME_SITE_NONE)) {
        return -EINVAL;
    }
    if (has_prefix(cookie->name, "__Host-") && strcmp(path, "/") != 0) {
        return -EINVAL;
    }
    if (cookie->max_age_s != 0) {
        max_age = arena_printf(arena, "; Max-Age=%lld", (long long)MAX(cookie->max_age_s, 0));
    }
    *ret_value =
        arena_printf(arena, "%s=%s; Path=%s%s; SameSite=%s%s%s", cookie->name, cookie->value, path,
                     max_age, same_site[cookie->same_site], cookie->secure ? "; Secure" : "",
                     cookie->http_only ? "; HttpOnly" : "");
    return 0;
}

const char *http_request_cookie(HttpRequest *request, const char *name) {
    for (size_t i = 0; i < request->n_headers; i++) {
        Str rest = str_from(request->headers[i].value), pair;
        if (!str_equal_nocase(str_from(request->headers[i].name), str_lit("Cookie"))) {
            continue;
        }
        while (str_next_token(&rest, ";", &pair)) {
            const char *equals = pair.len > 0 ? memchr(pair.ptr, '=', pair.len) : NULL;
            Str value;
            if (!equals || !str_equal(str_trim((Str){pair.ptr, (size_t)(equals - pair.ptr)}),
                                      str_from(name))) {
                continue;
            }
            value = (Str){equals + 1, pair.len - (size_t)(equals + 1 - pair.ptr)};
            return arena_strdup(request->arena, str_trim(value));
        }
    }
    return NULL;
}
