/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Text as it is searched for: words of letters and digits without accents and in no case (Unicode
 * NFKD, marks taken off, case-folded: UAX #15, and section 3.13 of the standard). Pure.
 */

#include "base/arena.h"

#define WORD_LEN_MAX 64  /* bytes; what is longer is cut */
#define WORDS_MAX    100 /* of one text; the others are not found */

/* All of the text as one word, with single blanks where others than letters and digits stand; in
 * the arena, empty when nothing is left. At most 4 KiB of text are looked at. */
Str words_fold(Str text, Arena *arena);

/* The next word of what words_fold() gave; false at the end. */
bool words_next(Str *rest, Str *ret_word);

/* How many bytes the first `n` characters of a word have; its length when it has fewer. */
size_t word_prefix_len(Str word, size_t n);
