/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/opaque_string.h"

#include "base/error.h"

#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define VIRAMA 9 /* a canonical combining class */

static bool is_one_of(ucs4_t c, const ucs4_t *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (list[i] == c) {
            return true;
        }
    }
    return false;
}

static bool is_within(ucs4_t c, ucs4_t first, ucs4_t last) {
    return c >= first && c <= last;
}

/* RFC 5892 2.9, OldHangulJamo: conjoining jamo, by their blocks. */
static bool is_old_jamo(ucs4_t c) {
    return is_within(c, 0x1100, 0x11FF) || is_within(c, 0xA960, 0xA97C) ||
           is_within(c, 0xD7B0, 0xD7FB);
}

/* RFC 5892 2.6, of the exceptions those that are refused. */
static bool is_exception(ucs4_t c) {
    static const ucs4_t refused[] = {0x0640, 0x07FA, 0x302E, 0x302F, 0x3031,
                                     0x3032, 0x3033, 0x3034, 0x3035, 0x303B};

    return is_one_of(c, refused, ARRAY_LEN(refused));
}

/* RFC 5892 A.1: joins what stands before it with what follows, past transparent marks. */
static bool joins(const ucs4_t *text, size_t n, size_t at) {
    size_t before = at, after = at + 1;
    int type;

    while (before > 0 && uc_joining_type(text[before - 1]) == UC_JOINING_TYPE_T) {
        before--;
    }
    type = before > 0 ? uc_joining_type(text[before - 1]) : UC_JOINING_TYPE_U;
    if (type != UC_JOINING_TYPE_L && type != UC_JOINING_TYPE_D) {
        return false;
    }
    while (after < n && uc_joining_type(text[after]) == UC_JOINING_TYPE_T) {
        after++;
    }
    type = after < n ? uc_joining_type(text[after]) : UC_JOINING_TYPE_U;
    return type == UC_JOINING_TYPE_R || type == UC_JOINING_TYPE_D;
}

static bool is_of_script(ucs4_t c, const char *name) {
    const uc_script_t *script = uc_script(c);

    return script && strcmp(script->name, name) == 0;
}

static bool has_within(const ucs4_t *text, size_t n, ucs4_t first, ucs4_t last) {
    for (size_t i = 0; i < n; i++) {
        if (is_within(text[i], first, last)) {
            return true;
        }
    }
    return false;
}

static bool has_japanese(const ucs4_t *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (is_of_script(text[i], "Hiragana") || is_of_script(text[i], "Katakana") ||
            is_of_script(text[i], "Han")) {
            return true;
        }
    }
    return false;
}

/* RFC 5892 appendix A: what is good in some places only. False also for what has no such rule. */
static bool fits_context(const ucs4_t *text, size_t n, size_t at) {
    ucs4_t c = text[at];
    ucs4_t before = at > 0 ? text[at - 1] : 0, after = at + 1 < n ? text[at + 1] : 0;

    switch (c) {
    case 0x200C:
        return (at > 0 && uc_combining_class(before) == VIRAMA) || joins(text, n, at);
    case 0x200D:
        return at > 0 && uc_combining_class(before) == VIRAMA;
    case 0x00B7:
        return before == 'l' && after == 'l';
    case 0x0375:
        return is_of_script(after, "Greek");
    case 0x05F3:
    case 0x05F4:
        return is_of_script(before, "Hebrew");
    case 0x30FB:
        return has_japanese(text, n);
    default:
        return is_within(c, 0x0660, 0x0669)   ? !has_within(text, n, 0x06F0, 0x06F9)
               : is_within(c, 0x06F0, 0x06F9) ? !has_within(text, n, 0x0660, 0x0669)
                                              : false;
    }
}

static bool has_context_rule(ucs4_t c) {
    static const ucs4_t ruled[] = {0x200C, 0x200D, 0x00B7, 0x0375, 0x05F3, 0x05F4, 0x30FB};

    return is_one_of(c, ruled, ARRAY_LEN(ruled)) || is_within(c, 0x0660, 0x0669) ||
           is_within(c, 0x06F0, 0x06F9);
}

/* FreeformClass, RFC 8264 4.3 by the algorithm of its section 8. */
static bool is_freeform(const ucs4_t *text, size_t n, size_t at) {
    static const uint32_t refused = UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cn |
                                    UC_CATEGORY_MASK_Co | UC_CATEGORY_MASK_Cs |
                                    UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp | UC_CATEGORY_MASK_Cf;
    ucs4_t c = text[at];

    if (is_exception(c)) {
        return false;
    }
    if (has_context_rule(c)) {
        return fits_context(text, n, at);
    }
    return !uc_is_general_category_withtable(c, refused) && !is_old_jamo(c) &&
           !uc_is_property_default_ignorable_code_point(c) && !uc_is_property_not_a_character(c);
}

static bool are_freeform(const ucs4_t *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!is_freeform(text, n, i)) {
            return false;
        }
    }
    return true;
}

int opaque_string(Str text, Arena *arena, const char **ret_text) {
    _cleanup_(freep) uint32_t *wide = NULL;
    _cleanup_(freep) uint32_t *composed = NULL;
    _cleanup_(freep) uint8_t *narrow = NULL;
    size_t n = 0, n_composed = 0, len = 0;

    if (text.len == 0 || !str_is_utf8(text)) {
        return -EINVAL;
    }
    wide = u8_to_u32((const uint8_t *)text.ptr, text.len, NULL, &n);
    if (!wide) {
        return err_trace(-ENOMEM);
    }
    /* Blanks first, as some compose to others; the class is that of the outcome (RFC 8264 7). */
    for (size_t i = 0; i < n; i++) {
        wide[i] = uc_is_general_category_withtable(wide[i], UC_CATEGORY_MASK_Zs) ? ' ' : wide[i];
    }
    composed = u32_normalize(UNINORM_NFC, wide, n, NULL, &n_composed);
    if (!composed) {
        return err_trace(-ENOMEM);
    }
    if (!are_freeform(composed, n_composed)) {
        return -EINVAL;
    }
    narrow = u32_to_u8(composed, n_composed, NULL, &len);
    if (!narrow) {
        return err_trace(-ENOMEM);
    }
    *ret_text = arena_strdup(arena, (Str){(const char *)narrow, len});
    return 0;
}
