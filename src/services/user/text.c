/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/text.h"

#include "base/error.h"
#include "services/user/language_tag.h"

#include <ctype.h>
#include <idn2.h>
#include <unicase.h>

#define LOCAL_PART_MAX 64
#define LABEL_MAX      63

static bool is_ascii_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 5322 atext, dots between. */
static bool is_local_part(Str local) {
    if (local.len == 0 || local.len > LOCAL_PART_MAX || local.ptr[0] == '.' ||
        local.ptr[local.len - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        if (c == '\0' || (!is_ascii_alnum(c) && !strchr("!#$%&'*+-/=?^_`{|}~.", c)) ||
            (c == '.' && local.ptr[i + 1] == '.')) {
            return false;
        }
    }
    return true;
}

static bool is_label(Str label) {
    if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_ascii_alnum(label.ptr[i]) && label.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_domain(Str domain) {
    Str label;
    size_t labels = 0;
    bool numeric = true;

    if (domain.len == 0 || domain.ptr[domain.len - 1] == '.') {
        return false;
    }
    while (str_next_token(&domain, ".", &label)) {
        if (!is_label(label)) {
            return false;
        }
        labels++;
        numeric = true;
        for (size_t i = 0; i < label.len; i++) {
            numeric = numeric && isdigit((unsigned char)label.ptr[i]);
        }
    }
    return labels >= 2 && !numeric; /* no IPv4 address */
}

static bool is_ascii(Str text) {
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* Whether going there and back changes no more than case and composition. */
static bool is_spelt_as(const char *domain, const char *ascii) {
    _cleanup_(freep) uint8_t *lower = NULL;
    char *back = NULL;
    size_t len = 0;
    bool same;

    if (idn2_to_unicode_8z8z(ascii, &back, IDN2_NONTRANSITIONAL) != IDN2_OK) {
        return false;
    }
    lower = u8_tolower((const uint8_t *)domain, strlen(domain) + 1, NULL, UNINORM_NFC, NULL, &len);
    same = lower && strcmp((const char *)lower, back) == 0;
    idn2_free(back);
    return same;
}

/* Its A-labels (IDNA 2008 by UTS #46, non-transitional), in the arena; or NULL. */
static const char *domain_ascii(Str domain, Arena *arena) {
    const char *text = arena_strdup(arena, domain), *ret = NULL;
    char *ascii = NULL;

    if (is_ascii(domain)) {
        return text;
    }
    if (!str_is_utf8(domain) || idn2_to_ascii_8z(text, &ascii,
                                                 IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL |
                                                     IDN2_USE_STD3_ASCII_RULES) != IDN2_OK) {
        return NULL;
    }
    if (is_spelt_as(text, ascii)) {
        ret = arena_strdup(arena, str_from(ascii));
    }
    idn2_free(ascii);
    return ret;
}

int email_canonical(Str text, Arena *arena, const char **ret_email) {
    Str trimmed = str_trim(text), local;
    const char *at = trimmed.len > 0 ? memchr(trimmed.ptr, '@', trimmed.len) : NULL;
    const char *domain;
    char *email;

    if (!at || trimmed.len > EMAIL_LEN_MAX || memchr(trimmed.ptr, '\0', trimmed.len)) {
        return -EINVAL;
    }
    local = (Str){trimmed.ptr, (size_t)(at - trimmed.ptr)};
    domain = domain_ascii((Str){at + 1, trimmed.len - local.len - 1}, arena);
    if (!domain || !is_local_part(local) || !is_domain(str_from(domain)) ||
        local.len + 1 + strlen(domain) > EMAIL_LEN_MAX) {
        return -EINVAL;
    }
    email = arena_printf(arena, "%.*s@%s", (int)local.len, local.ptr, domain);
    for (char *c = email; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)tolower(*c);
        }
    }
    *ret_email = email;
    return 0;
}

/* The next character of text that jansson has checked to be UTF-8. */
static uint32_t next_character(const unsigned char **at) {
    const unsigned char *c = *at;
    size_t len = *c < 0x80 ? 1 : *c < 0xE0 ? 2 : *c < 0xF0 ? 3 : 4;
    uint32_t value = len == 1 ? *c : *c & (0xFFu >> (len + 1));

    for (size_t i = 1; i < len; i++) {
        if (c[i] == '\0') {
            *at = c + i;
            return 0xFFFD;
        }
        value = value << 6 | (c[i] & 0x3F);
    }
    *at = c + len;
    return value;
}

/* Control characters, line and paragraph separators, bidirectional controls, byte order marks. */
static bool is_unseen(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

bool text_is_plain(const char *text, size_t max) {
    const unsigned char *at = (const unsigned char *)text;

    if (strlen(text) > max) {
        return false;
    }
    while (*at) {
        if (is_unseen(next_character(&at))) {
            return false;
        }
    }
    return true;
}

static bool has_only(const char *text, const char *others) {
    for (; *text; text++) {
        if (!is_ascii_alnum(*text) && !strchr(others, *text)) {
            return false;
        }
    }
    return true;
}

bool text_is_locale(const char *text) {
    return !text[0] || (strlen(text) <= 35 && language_tag_is_well_formed(str_from(text)));
}

bool text_is_zone(const char *text) {
    return strlen(text) <= 64 && text[0] != '/' && !strstr(text, "..") && has_only(text, "/_+-");
}

size_t text_characters(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    size_t count = 0;

    while (*at) {
        next_character(&at);
        count++;
    }
    return count;
}
