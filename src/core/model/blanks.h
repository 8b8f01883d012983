/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where in a photo's file its metadata lies, so that the file can be given to others without it: as
 * bytes that are shown as zeros, or as others, in the same places. So the file keeps its length,
 * nobody has to write another one, and who sends it does not have to understand it. A plan is made
 * by who may read untrusted files (src/imaging/metadata_blanks.h) and checked by who uses it. Pure.
 */

#include "base/str.h"

#include <stdint.h>

#define BLANKS_MAX       48
#define BLANK_PREFIX_MAX 32
#define BLANKS_TEXT_MAX  2047

typedef struct Blank {
    uint64_t offset, len; /* these bytes are zeros, but for the first: */
    uint8_t prefix[BLANK_PREFIX_MAX];
    size_t prefix_len; /* at most len */
} Blank;

/* In order, none within another. */
typedef struct Blanks {
    Blank blanks[BLANKS_MAX];
    size_t n;
} Blanks;

/* false: there are too many, it is out of order, or the prefix is too long. */
bool blanks_add(Blanks *blanks, uint64_t offset, uint64_t len, const void *prefix,
                size_t prefix_len);

/* "OFFSET+LEN", with "=" and the prefix in hexadecimal, with commas between; "-": there are none.
 * "" when that is longer than BLANKS_TEXT_MAX, as when nothing is known of a file. */
void blanks_write(const Blanks *blanks, char ret_text[BLANKS_TEXT_MAX + 1]);

/* Of a file of `size` bytes. -EINVAL: not of that form, beyond the file, or "". */
int blanks_parse(Str text, uint64_t size, Blanks *ret_blanks);

/* Of bytes of the file that begin at `offset`. */
void blanks_apply(const Blanks *blanks, uint64_t offset, void *bytes, size_t len);
