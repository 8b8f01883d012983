/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base32.h"

#include <errno.h>

void base32_encode(Str bytes, Buf *out) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t bits = 0;
    unsigned n_bits = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (uint8_t)bytes.ptr[i];
        for (n_bits += 8; n_bits >= 5; n_bits -= 5) {
            buf_add(out, &alphabet[bits >> (n_bits - 5) & 31], 1);
        }
    }
    if (n_bits > 0) {
        buf_add(out, &alphabet[bits << (5 - n_bits) & 31], 1);
    }
}

static int digit(char c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a'
           : c >= '2' && c <= '7' ? c - '2' + 26
                                  : -1;
}

int base32_decode(Str text, Arena *arena, Str *ret_bytes) {
    char *bytes = arena_alloc(arena, text.len / 8 * 5 + 5);
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int value = digit(text.ptr[i]);
        if (value < 0) {
            return -EINVAL;
        }
        bits = bits << 5 | (uint32_t)value;
        n_bits += 5;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes[len++] = (char)(bits >> n_bits);
        }
    }
    /* A digit that adds no byte, or bits that belong to none. */
    if (n_bits >= 5 || (bits & ((1u << n_bits) - 1)) != 0) {
        return -EINVAL;
    }
    *ret_bytes = (Str){bytes, len};
    return 0;
}
