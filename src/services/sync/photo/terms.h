/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a photo is found by, as numbers: the first 63 bits of keyed hashes (library_hash()), so that
 * who reads the database learns no word. Those of photos in the trash are others than those of
 * photos in the library. Two words may share a number: whoever looks, looks again at the state.
 */

#include "services/sync/objects.h"

#define TERMS_MAX       2000 /* of one photo; words beyond are not found */
#define TERM_PREFIX_MAX 10   /* characters of the beginnings that a word is found by */
#define TERM_BANDS      4    /* of 16 bits, of the perceptual hash */

typedef enum TermKind {
    TERM_WORD, /* of name, caption, tags and camera, also its beginnings of two letters and more */
    TERM_TAG,  /* all of a tag, folded */
    TERM_ALBUM,
    TERM_CAMERA, /* make and model, folded; and the model alone */
    TERM_FAVOURITE,
    TERM_STEM, /* the name without its ending, folded */
    TERM_BAND, /* which band, and its bits */
    TERM_CONTENT_ID,
} TermKind;

typedef struct Terms {
    int64_t *all; /* in order, each once; in the arena */
    size_t n;
} Terms;

int64_t term_of(const UserKey *key, bool trashed, TermKind kind, Str value);
int64_t term_of_band(const UserKey *key, bool trashed, unsigned band, uint16_t bits);

/* All that the photo of this state is found by. */
void terms_of_photo(const Library *library, const json_t *state, Terms *ret_terms);
bool terms_have(const Terms *terms, int64_t term);

/* A member of 16 hexadecimal digits; false when it is absent or none. */
bool photo_phash(const json_t *state, uint64_t *ret_hash);
