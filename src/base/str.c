/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

bool str_equal(Str a, Str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_equal_nocase(Str a, Str b) {
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_starts_with(Str s, Str prefix) {
    return s.len >= prefix.len && str_equal((Str){s.ptr, prefix.len}, prefix);
}

bool str_ends_with(Str s, Str suffix) {
    return s.len >= suffix.len && str_equal((Str){s.ptr + s.len - suffix.len, suffix.len}, suffix);
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str s) {
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* The first byte that is one of `separators`, mostly a single one; or NULL. */
static const char *find_any(Str text, const char *separators) {
    if (separators[0] != '\0' && separators[1] == '\0') {
        return memchr(text.ptr, separators[0], text.len);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr(separators, text.ptr[i])) {
            return text.ptr + i;
        }
    }
    return NULL;
}

bool str_next_token(Str *rest, const char *separators, Str *ret_token) {
    const char *end;

    if (!rest->ptr) {
        return false;
    }
    end = find_any(*rest, separators);
    if (!end) {
        *ret_token = *rest;
        *rest = (Str){0};
        return true;
    }
    *ret_token = (Str){rest->ptr, (size_t)(end - rest->ptr)};
    *rest = (Str){end + 1, rest->len - ret_token->len - 1};
    return true;
}

size_t str_utf8_sequence(Str text) {
    const unsigned char *s = (const unsigned char *)text.ptr;
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    if (text.len == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if ((s[0] & forms[i].mask) == forms[i].lead) {
            uint32_t code = s[0] & (unsigned char)~forms[i].mask;
            if (text.len < i + 2) {
                return 0;
            }
            for (size_t j = 1; j < i + 2; j++) {
                if ((s[j] & 0xc0) != 0x80) {
                    return 0;
                }
                code = code << 6 | (s[j] & 0x3f);
            }
            bool surrogate = code >= 0xd800 && code < 0xe000;
            return code >= forms[i].least && code <= 0x10ffff && !surrogate ? i + 2 : 0;
        }
    }
    return 0;
}

bool str_is_utf8(Str s) {
    while (s.len > 0) {
        size_t len = str_utf8_sequence(s);
        if (len == 0) {
            return false;
        }
        s = (Str){s.ptr + len, s.len - len};
    }
    return true;
}

Str str_file_stem(Str name) {
    for (size_t i = name.len; i > 1; i--) {
        if (name.ptr[i - 1] == '.') {
            return (Str){name.ptr, i - 1};
        }
    }
    return name;
}

int str_to_u64(Str s, uint64_t *ret_value) {
    uint64_t value = 0;

    if (s.len == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return -EINVAL;
        }
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value)) {
            return -ERANGE;
        }
    }
    *ret_value = value;
    return 0;
}

int str_to_double(Str s, double *ret_value) {
    /* Longer than any number a person writes; keeps the copy on the stack. */
    char text[64];
    char *end;
    double value;

    if (s.len == 0 || s.len >= sizeof(text)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr("0123456789+-.eE", s.ptr[i]) || s.ptr[i] == '\0') {
            return -EINVAL;
        }
    }
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    value = strtod(text, &end);
    if (end != text + s.len) {
        return -EINVAL;
    }
    if (!isfinite(value)) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

void buf_done(Buf *buf) {
    free(buf->data);
    *buf = BUF_INIT;
}

char *buf_reserve(Buf *buf, size_t len) {
    size_t needed;

    if (__builtin_add_overflow(buf->len, len, &needed) ||
        __builtin_add_overflow(needed, 1, &needed)) {
        abort();
    }
    if (needed > buf->capacity) {
        size_t capacity = MAX(MAX(needed, buf->capacity + buf->capacity / 2), (size_t)64);
        char *data = realloc(buf->data, capacity);
        if (!data) {
            abort();
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    return buf->data + buf->len;
}

void buf_add(Buf *buf, const void *bytes, size_t len) {
    char *end = buf_reserve(buf, len);
    if (len > 0) {
        memcpy(end, bytes, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_str(Buf *buf, Str s) {
    buf_add(buf, s.ptr, s.len);
}

void buf_addfv(Buf *buf, const char *format, va_list args) {
    va_list again;
    int len;

    assert(format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    assert(len >= 0);
    vsnprintf(buf_reserve(buf, (size_t)len), (size_t)len + 1, format, args);
    buf->len += (size_t)len;
}

void buf_addf(Buf *buf, const char *format, ...) {
    va_list args;

    va_start(args, format);
    buf_addfv(buf, format, args);
    va_end(args);
}
