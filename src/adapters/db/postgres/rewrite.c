/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/rewrite.h"

#include "base/error.h"
#include "core/ports/db.h"

#include <ctype.h>

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Past the closing quote; a doubled one is part of the text. NULL when it does not end. */
static const char *skip_quoted(const char *at, char quote, bool backslashes) {
    for (at++; *at; at++) {
        if (backslashes && *at == '\\' && at[1]) {
            at++;
        } else if (*at == quote) {
            if (at[1] != quote) {
                return at + 1;
            }
            at++;
        }
    }
    return NULL;
}

/* Comments nest. */
static const char *skip_comment(const char *at) {
    unsigned depth = 0;

    while (*at) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            at += 2;
            if (--depth == 0) {
                return at;
            }
        } else {
            at++;
        }
    }
    return NULL;
}

/* $tag$ ... $tag$; `at` itself, moved by one, when this dollar opens no such string. */
static const char *skip_dollar(const char *at) {
    const char *tag_end = at + 1, *end;
    size_t len;

    if (isdigit((unsigned char)*tag_end)) {
        return at + 1;
    }
    while (is_word(*tag_end)) {
        tag_end++;
    }
    if (*tag_end != '$') {
        return at + 1;
    }
    len = (size_t)(tag_end - at) + 1;
    end = memmem(at + len, strlen(at + len), at, len);
    return end ? end + len : NULL;
}

/* Past what holds no parameter, or `at` when a parameter may stand here. NULL: it does not end. */
static const char *skip_opaque(const char *sql, const char *at) {
    bool after_word = at > sql && is_word(at[-1]);

    switch (*at) {
    case '\'':
        return skip_quoted(at, '\'',
                           after_word && (at[-1] == 'E' || at[-1] == 'e') &&
                               (at - 1 == sql || !is_word(at[-2])));
    case '"':
        return skip_quoted(at, '"', false);
    case '$':
        return after_word ? at + 1 : skip_dollar(at);
    case '-':
        return at[1] == '-' ? at + strcspn(at, "\n") : at;
    case '/':
        return at[1] == '*' ? skip_comment(at) : at;
    default:
        return at;
    }
}

int postgres_rewrite(const char *sql, Buf *out, unsigned *ret_n) {
    unsigned n = 0;

    for (const char *at = sql, *next; *at; at = next) {
        next = skip_opaque(sql, at);
        if (!next) {
            return -EINVAL;
        }
        if (next > at) {
            buf_add(out, at, (size_t)(next - at));
            continue;
        }
        next = at + 1;
        if (*at != '?') {
            buf_add(out, at, 1);
        } else if (n == DB_PARAMS_MAX) {
            return -EINVAL;
        } else {
            buf_addf(out, "$%u", ++n);
        }
    }
    *ret_n = n;
    return 0;
}
