/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Strings: a borrowed slice (Str) and a growable owned buffer (Buf). */

#include "base/macro.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes; not terminated, may hold any byte. */
typedef struct Str {
    const char *ptr;
    size_t len;
} Str;

#define str_lit(s) ((Str){(s), sizeof(s) - 1})

static inline Str str_from(const char *s) {
    return (Str){s, s ? strlen(s) : 0};
}

bool str_equal(Str a, Str b);
bool str_equal_nocase(Str a, Str b); /* ASCII case only */
bool str_starts_with(Str s, Str prefix);
bool str_ends_with(Str s, Str suffix);
Str str_trim(Str s); /* without ASCII white space at both ends */
/* What stands before the last dot of a file's name; all when there is none or it is the first. */
Str str_file_stem(Str name);

/* Bytes of the valid UTF-8 sequence (RFC 3629) that `s` begins with; 0 when there is none. */
size_t str_utf8_sequence(Str s);
bool str_is_utf8(Str s);

/*
 * Cuts the next token off *rest at any byte of `separators`; false when *rest is used up.
 * Adjacent separators give empty tokens.
 */
bool str_next_token(Str *rest, const char *separators, Str *ret_token);

/*
 * Numbers, strictly: the whole slice must be the number (no blanks, no sign for u64, no hex, no
 * inf or nan). 0, or -EINVAL (not a number) or -ERANGE (does not fit).
 */
int str_to_u64(Str s, uint64_t *ret_value);
int str_to_double(Str s, double *ret_value);

/* A growable buffer, always NUL-terminated past len once something was added. */
typedef struct Buf {
    char *data;
    size_t len;
    size_t capacity;
} Buf;

#define BUF_INIT ((Buf){0})

/* Empties and releases; the Buf may be used again. */
void buf_done(Buf *buf);
/* Appending aborts the process when memory is exhausted: check sizes from outside beforehand. */
void buf_add(Buf *buf, const void *bytes, size_t len);
void buf_add_str(Buf *buf, Str s);
void buf_addf(Buf *buf, const char *format, ...) printf_like(2, 3);
void buf_addfv(Buf *buf, const char *format, va_list args) printf_like(2, 0);
/* Makes room for `len` more bytes and returns where they go; the caller then adds to buf->len. */
char *buf_reserve(Buf *buf, size_t len);

static inline Str buf_str(const Buf *buf) {
    return (Str){buf->data ? buf->data : "", buf->len};
}
static inline const char *buf_cstr(const Buf *buf) {
    return buf->data ? buf->data : "";
}
