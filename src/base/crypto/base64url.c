/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base64url.h"

#include <errno.h>
#include <sodium.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

void base64url_encode(Str bytes, Buf *out) {
    size_t size = sodium_base64_encoded_len(bytes.len, VARIANT); /* with the NUL */

    sodium_bin2base64(buf_reserve(out, size), size, (const uint8_t *)bytes.ptr, bytes.len, VARIANT);
    out->len += size - 1;
}

int base64url_decode_into(Str text, uint8_t *ret_bytes, size_t capacity, size_t *ret_len) {
    if (text.len == 0) {
        *ret_len = 0;
        return 0;
    }
    return sodium_base642bin(ret_bytes, capacity, text.ptr, text.len, NULL, ret_len, NULL,
                             VARIANT) == 0
               ? 0
               : -EINVAL;
}

int base64url_decode(Str text, Arena *arena, Str *ret_bytes) {
    size_t capacity = text.len / 4 * 3 + 3, len;
    char *bytes = arena_alloc(arena, capacity);

    if (base64url_decode_into(text, (uint8_t *)bytes, capacity, &len) < 0) {
        return -EINVAL;
    }
    *ret_bytes = (Str){bytes, len};
    return 0;
}

int base64url_decode_fixed(Str text, uint8_t *ret_bytes, size_t len) {
    size_t got;

    return base64url_decode_into(text, ret_bytes, len, &got) == 0 && got == len ? 0 : -EINVAL;
}
