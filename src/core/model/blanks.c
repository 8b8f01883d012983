/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/blanks.h"

#include <errno.h>

bool blanks_add(Blanks *blanks, uint64_t offset, uint64_t len, const void *prefix,
                size_t prefix_len) {
    const Blank *last = blanks->n > 0 ? &blanks->blanks[blanks->n - 1] : NULL;
    Blank *blank = &blanks->blanks[blanks->n];

    if (len == 0) {
        return true;
    }
    if (blanks->n == BLANKS_MAX || prefix_len > MIN(len, (uint64_t)BLANK_PREFIX_MAX) ||
        (last && (offset < last->offset || offset - last->offset < last->len))) {
        return false;
    }
    *blank = (Blank){.offset = offset, .len = len, .prefix_len = prefix_len};
    if (prefix_len > 0) {
        memcpy(blank->prefix, prefix, prefix_len);
    }
    blanks->n++;
    return true;
}

void blanks_write(const Blanks *blanks, char ret_text[BLANKS_TEXT_MAX + 1]) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    for (size_t i = 0; i < blanks->n; i++) {
        const Blank *blank = &blanks->blanks[i];
        buf_addf(&text, "%s%llu+%llu%s", i > 0 ? "," : "", (unsigned long long)blank->offset,
                 (unsigned long long)blank->len, blank->prefix_len > 0 ? "=" : "");
        for (size_t j = 0; j < blank->prefix_len; j++) {
            buf_addf(&text, "%02x", blank->prefix[j]);
        }
    }
    if (blanks->n == 0) {
        buf_addf(&text, "-");
    }
    ret_text[0] = '\0';
    if (text.len <= BLANKS_TEXT_MAX) {
        memcpy(ret_text, text.data, text.len + 1);
    }
}

static int nibble(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_prefix(Str hex, uint8_t prefix[BLANK_PREFIX_MAX], size_t *ret_len) {
    if (hex.len % 2 != 0 || hex.len / 2 > BLANK_PREFIX_MAX) {
        return false;
    }
    for (size_t i = 0; i < hex.len; i += 2) {
        int high = nibble(hex.ptr[i]), low = nibble(hex.ptr[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        prefix[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_len = hex.len / 2;
    return true;
}

static bool read_one(Str text, uint64_t size, Blanks *blanks) {
    uint8_t prefix[BLANK_PREFIX_MAX];
    size_t prefix_len = 0;
    uint64_t offset, len;
    Str place, part;

    if (!str_next_token(&text, "=", &place) || !read_prefix(text, prefix, &prefix_len) ||
        !str_next_token(&place, "+", &part) || str_to_u64(part, &offset) < 0 ||
        str_to_u64(place, &len) < 0 || len == 0 || offset > size || len > size - offset) {
        return false;
    }
    return blanks_add(blanks, offset, len, prefix, prefix_len);
}

int blanks_parse(Str text, uint64_t size, Blanks *ret_blanks) {
    Blanks blanks = {.n = 0};
    Str one;

    if (text.len == 0) {
        return -EINVAL;
    }
    if (!str_equal(text, str_lit("-"))) {
        while (str_next_token(&text, ",", &one)) {
            if (!read_one(one, size, &blanks)) {
                return -EINVAL;
            }
        }
    }
    *ret_blanks = blanks;
    return 0;
}

void blanks_apply(const Blanks *blanks, uint64_t offset, void *bytes, size_t len) {
    for (size_t i = 0; i < blanks->n; i++) {
        const Blank *blank = &blanks->blanks[i];
        uint64_t from = MAX(blank->offset, offset);
        uint64_t to = MIN(blank->offset + blank->len, offset + len);
        for (uint64_t at = from; at < to; at++) {
            uint64_t within = at - blank->offset;
            ((uint8_t *)bytes)[at - offset] =
                within < blank->prefix_len ? blank->prefix[within] : 0;
        }
    }
}
