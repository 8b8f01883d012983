/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/form_internal.h"

static bool skip_blanks(Str *s) {
    while (s->len > 0 && (s->ptr[0] == ' ' || s->ptr[0] == '\t')) {
        s->ptr++;
        s->len--;
    }
    return s->len > 0;
}

static Str take(Str *s, size_t n) {
    Str taken = {s->ptr, n};
    s->ptr += n;
    s->len -= n;
    return taken;
}

static Str take_until(Str *s, const char *stops) {
    size_t n = 0;

    while (n < s->len && (s->ptr[n] == '\0' || !strchr(stops, s->ptr[n]))) {
        n++;
    }
    return take(s, n);
}

/* The rest of a quoted string, after its opening quote, still with its escapes. */
static bool take_quoted(Str *s, Str *ret_raw) {
    for (size_t i = 0; i < s->len; i++) {
        if (s->ptr[i] == '"') {
            *ret_raw = take(s, i);
            take(s, 1);
            return true;
        }
        if (s->ptr[i] == '\\' && i + 1 < s->len &&
            (s->ptr[i + 1] == '"' || s->ptr[i + 1] == '\\')) {
            i++;
        }
    }
    return false;
}

static Str unquote(Arena *arena, Str raw) {
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\\' && i + 1 < raw.len &&
            (raw.ptr[i + 1] == '"' || raw.ptr[i + 1] == '\\')) {
            i++;
        }
        out[len++] = raw.ptr[i];
    }
    return (Str){out, len};
}

bool form_header_param(Arena *arena, Str header, const char *name, Str *ret_value) {
    Str rest = header;

    take_until(&rest, ";");
    while (rest.len > 0) {
        Str key, value = str_lit("");
        bool quoted = false;
        take(&rest, 1);
        skip_blanks(&rest);
        key = str_trim(take_until(&rest, "=;"));
        if (rest.len > 0 && rest.ptr[0] == '=') {
            take(&rest, 1);
            quoted = skip_blanks(&rest) && rest.ptr[0] == '"';
            if (quoted) {
                take(&rest, 1);
                if (!take_quoted(&rest, &value)) {
                    return false;
                }
            } else {
                value = str_trim(take_until(&rest, ";"));
            }
        }
        if (str_equal_nocase(key, str_from(name))) {
            *ret_value = quoted ? unquote(arena, value) : value;
            return true;
        }
        take_until(&rest, ";");
    }
    return false;
}
