/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/words.h"

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define TEXT_LEN_MAX ((size_t)4096)

/* Not in the midst of a character. */
static Str cut(Str text, size_t max) {
    if (text.len > max) {
        text.len = max;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) {
            text.len--;
        }
    }
    return text;
}

/* Marks are left out, what is no letter and no digit becomes one blank. */
static size_t squeeze(const uint8_t *folded, size_t len, char *to) {
    size_t n = 0;
    ucs4_t c;

    for (size_t at = 0; at < len;) {
        int step = u8_mbtouc(&c, folded + at, len - at);
        if (uc_is_general_category(c, UC_CATEGORY_L) || uc_is_general_category(c, UC_CATEGORY_N)) {
            memcpy(to + n, folded + at, (size_t)step);
            n += (size_t)step;
        } else if (!uc_is_general_category(c, UC_CATEGORY_M) && n > 0 && to[n - 1] != ' ') {
            to[n++] = ' ';
        }
        at += (size_t)step;
    }
    return n > 0 && to[n - 1] == ' ' ? n - 1 : n;
}

Str words_fold(Str text, Arena *arena) {
    Str part = cut(text, TEXT_LEN_MAX);
    _cleanup_(freep) uint8_t *folded = NULL;
    size_t len = 0;
    char *to;

    if (part.len == 0 || !str_is_utf8(part)) {
        return (Str){0};
    }
    folded = u8_casefold((const uint8_t *)part.ptr, part.len, NULL, UNINORM_NFKD, NULL, &len);
    if (!folded) {
        abort(); /* of UTF-8 nothing but exhausted memory */
    }
    to = arena_alloc(arena, len + 1);
    return (Str){to, squeeze(folded, len, to)};
}

bool words_next(Str *rest, Str *ret_word) {
    Str word;

    while (rest->len > 0 && str_next_token(rest, " ", &word)) {
        if (word.len > 0) {
            *ret_word = cut(word, WORD_LEN_MAX);
            return true;
        }
    }
    return false;
}

size_t word_prefix_len(Str word, size_t n) {
    size_t at = 0;

    for (size_t i = 0; i < n && at < word.len; i++) {
        size_t step = str_utf8_sequence((Str){word.ptr + at, word.len - at});
        at += step > 0 ? step : 1;
    }
    return MIN(at, word.len);
}
