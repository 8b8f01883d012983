/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/form.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define DATA_PREFIX_MAX ((size_t)256)

/* "data:image/png;base64," off the front (RFC 2397), when it is there. */
static int skip_data_prefix(Str *text) {
    Str head = {text->ptr, MIN(text->len, DATA_PREFIX_MAX)};
    const char *comma;

    if (head.len < 5 || !str_equal_nocase((Str){head.ptr, 5}, str_lit("data:"))) {
        return 0;
    }
    comma = memchr(head.ptr, ',', head.len);
    if (!comma) {
        return -EINVAL;
    }
    head.len = (size_t)(comma - head.ptr);
    if (head.len < 12 || !str_equal_nocase((Str){comma - 7, 7}, str_lit(";base64"))) {
        return -EINVAL;
    }
    *text = (Str){comma + 1, text->len - head.len - 1};
    return 0;
}

/* 0..63, 64 for white space, 65 for '=', 66 for what does not belong. */
static void fill_table(uint8_t table[256]) {
    memset(table, 66, 256);
    for (uint8_t i = 0; i < 64; i++) {
        table[(uint8_t)alphabet[i]] = i;
    }
    for (const char *c = " \t\r\n\v\f"; *c; c++) {
        table[(uint8_t)*c] = 64;
    }
    table['='] = 65;
}

int base64_decode(Str text, Arena *arena, Str *ret_bytes) {
    uint8_t table[256];
    size_t len = 0, digits = 0, padding = 0;
    uint32_t bits = 0;
    char *out;

    text = str_trim(text);
    if (skip_data_prefix(&text) < 0) {
        return -EINVAL;
    }
    fill_table(table);
    out = arena_alloc(arena, text.len / 4 * 3 + 3);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t value = table[(uint8_t)text.ptr[i]];
        if (value == 64) {
            continue;
        }
        if (value == 65) {
            padding++;
            continue;
        }
        if (value == 66 || padding > 0) {
            return -EINVAL;
        }
        bits = bits << 6 | value;
        if (++digits % 4 == 0) {
            out[len++] = (char)(bits >> 16);
            out[len++] = (char)(bits >> 8);
            out[len++] = (char)bits;
        }
    }
    /* Padding may be left out, as many clients do, but not be wrong. */
    if (digits % 4 == 1 || (padding > 0 && (digits + padding) % 4 != 0) || padding > 2) {
        return -EINVAL;
    }
    if (digits % 4 > 1) {
        out[len++] = (char)(digits % 4 == 2 ? bits >> 4 : bits >> 10);
    }
    if (digits % 4 == 3) {
        out[len++] = (char)(bits >> 2);
    }
    *ret_bytes = (Str){out, len};
    return 0;
}

void base64_encode(Str bytes, Buf *buf) {
    char *out = buf_reserve(buf, bytes.len / 3 * 4 + 4);
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    size_t len = 0;

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = MIN(bytes.len - i, (size_t)3);
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= n > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= n > 2 ? in[i + 2] : 0;
        out[len++] = alphabet[bits >> 18];
        out[len++] = alphabet[bits >> 12 & 63];
        out[len++] = (char)(n > 1 ? alphabet[bits >> 6 & 63] : '=');
        out[len++] = (char)(n > 2 ? alphabet[bits & 63] : '=');
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
}
