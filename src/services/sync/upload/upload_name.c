/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_name.h"

#define EXTENSION_MAX 16

/* Of devices with either separator. */
static Str last_part(Str raw) {
    for (size_t i = raw.len; i > 0; i--) {
        if (raw.ptr[i - 1] == '/' || raw.ptr[i - 1] == '\\') {
            return (Str){raw.ptr + i, raw.len - i};
        }
    }
    return raw;
}

/* Control characters (C0, DEL, C1), U+2028..202E and U+2066..2069. */
static bool is_hidden(Str c) {
    const uint8_t *b = (const uint8_t *)c.ptr;

    if (c.len == 1) {
        return b[0] < 0x20 || b[0] == 0x7f;
    }
    if (c.len == 2) {
        return b[0] == 0xc2 && b[1] < 0xa0;
    }
    return c.len == 3 && b[0] == 0xe2 &&
           ((b[1] == 0x80 && b[2] >= 0xa8 && b[2] <= 0xae) ||
            (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9));
}

static Str visible(Str raw, Arena *arena) {
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;

    while (raw.len > 0) {
        size_t n = str_utf8_sequence(raw);
        if (n > 0 && !is_hidden((Str){raw.ptr, n})) {
            memcpy(out + len, raw.ptr, n);
            len += n;
        }
        n = MAX(n, 1);
        raw = (Str){raw.ptr + n, raw.len - n};
    }
    return str_trim((Str){out, len});
}

static Str extension(Str name) {
    for (size_t i = name.len; i > 1 && name.len - i < EXTENSION_MAX; i--) {
        if (name.ptr[i - 1] == '.') {
            return (Str){name.ptr + i - 1, name.len - i + 1};
        }
    }
    return str_lit("");
}

const char *upload_name_clean(Str raw, Arena *arena) {
    Str name = visible(last_part(raw), arena);
    Str end = extension(name);
    size_t len = 0;

    if (name.len == 0 || str_equal(name, str_lit(".")) || str_equal(name, str_lit(".."))) {
        return "photo";
    }
    if (name.len <= UPLOAD_NAME_MAX) {
        return arena_strdup(arena, name);
    }
    while (len + str_utf8_sequence((Str){name.ptr + len, name.len - len}) <=
           UPLOAD_NAME_MAX - end.len) {
        len += str_utf8_sequence((Str){name.ptr + len, name.len - len});
    }
    return arena_printf(arena, "%.*s%.*s", (int)len, name.ptr, (int)end.len, end.ptr);
}
