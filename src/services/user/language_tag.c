/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/language_tag.h"

#define SUBTAG_MAX 8

typedef struct Tag {
    Str rest, subtag; /* subtag.len 0: the tag has ended, or it is broken */
} Tag;

static bool is_alpha(Str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = (char)(s.ptr[i] | 0x20);
        if (c < 'a' || c > 'z') {
            return false;
        }
    }
    return true;
}

static bool is_digits(Str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool is_alnum(Str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alpha((Str){s.ptr + i, 1}) && !is_digits((Str){s.ptr + i, 1})) {
            return false;
        }
    }
    return true;
}

static bool next(Tag *tag) {
    if (!str_next_token(&tag->rest, "-", &tag->subtag)) {
        tag->subtag = (Str){NULL, 0};
    }
    return true;
}

static bool take_alpha(Tag *tag, size_t len) {
    return tag->subtag.len == len && is_alpha(tag->subtag) && next(tag);
}

static bool take_variant(Tag *tag) {
    bool is_variant = tag->subtag.len >= 5 || (tag->subtag.len == 4 && tag->subtag.ptr[0] >= '0' &&
                                               tag->subtag.ptr[0] <= '9');

    return is_variant && next(tag);
}

/* At least one subtag of `min` characters or more. */
static bool take_many(Tag *tag, size_t min) {
    size_t n = 0;

    while (tag->subtag.len >= min) {
        n++;
        next(tag);
    }
    return n > 0;
}

static bool is_private_use(const Tag *tag) {
    return tag->subtag.len == 1 && (tag->subtag.ptr[0] | 0x20) == 'x';
}

static bool take_extensions(Tag *tag) {
    while (tag->subtag.len == 1 && !is_private_use(tag)) {
        next(tag);
        if (!take_many(tag, 2)) {
            return false;
        }
    }
    return true;
}

static bool take_language(Tag *tag) {
    size_t len = tag->subtag.len;

    if (len < 2 || !is_alpha(tag->subtag)) {
        return false;
    }
    next(tag);
    for (int i = 0; len <= 3 && i < 3 && take_alpha(tag, 3); i++) {
    }
    return true;
}

static bool take_region(Tag *tag) {
    return take_alpha(tag, 2) || (tag->subtag.len == 3 && is_digits(tag->subtag) && next(tag));
}

/* No empty one at either end, none too long, and nothing else than letters and digits. */
static bool are_subtags(Str rest) {
    Str subtag;

    if (rest.len == 0 || rest.ptr[rest.len - 1] == '-') {
        return false;
    }
    while (str_next_token(&rest, "-", &subtag)) {
        if (subtag.len == 0 || subtag.len > SUBTAG_MAX || !is_alnum(subtag)) {
            return false;
        }
    }
    return true;
}

bool language_tag_is_well_formed(Str text) {
    Tag tag = {.rest = text};

    if (!are_subtags(text)) {
        return false;
    }
    next(&tag);
    if (!is_private_use(&tag)) {
        if (!take_language(&tag)) {
            return false;
        }
        (void)take_alpha(&tag, 4);
        (void)take_region(&tag);
        while (take_variant(&tag)) {
        }
        if (!take_extensions(&tag)) {
            return false;
        }
    }
    if (is_private_use(&tag)) {
        next(&tag);
        if (!take_many(&tag, 1)) {
            return false;
        }
    }
    return tag.subtag.len == 0;
}
