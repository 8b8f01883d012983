/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/terms.h"

#include "base/crypto/digest.h"
#include "base/crypto/secret.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/words.h"

/* As library_hash() does; apart, because a photo has many terms. */
static void derive_key(const UserKey *key, uint8_t ret_key[DIGEST_LEN]) {
    digest_hkdf((Str){(const char *)key->bytes, sizeof(key->bytes)}, (Str){0},
                str_lit("imagesync/term"), ret_key, DIGEST_LEN);
}

static int64_t hash_term(const uint8_t key[DIGEST_LEN], bool trashed, TermKind kind, Str value) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    uint8_t hash[DIGEST_LEN];
    uint64_t term = 0;

    buf_addf(&text, "%d/%d/", trashed, (int)kind);
    buf_add_str(&text, value);
    digest_hmac((Str){(const char *)key, DIGEST_LEN}, buf_str(&text), hash);
    for (size_t i = 0; i < sizeof(term); i++) {
        term = term << 8 | hash[i];
    }
    return (int64_t)(term >> 1);
}

int64_t term_of(const UserKey *key, bool trashed, TermKind kind, Str value) {
    uint8_t derived[DIGEST_LEN];
    int64_t term;

    derive_key(key, derived);
    term = hash_term(derived, trashed, kind, value);
    secret_wipe(derived, sizeof(derived));
    return term;
}

/* Which band and its bits. */
typedef struct BandBytes {
    uint8_t bytes[3];
} BandBytes;

static Str band_str(unsigned band, uint16_t bits, BandBytes *bytes) {
    *bytes = (BandBytes){{(uint8_t)band, (uint8_t)(bits >> 8), (uint8_t)bits}};
    return (Str){(const char *)bytes->bytes, sizeof(bytes->bytes)};
}

int64_t term_of_band(const UserKey *key, bool trashed, unsigned band, uint16_t bits) {
    BandBytes bytes;

    return term_of(key, trashed, TERM_BAND, band_str(band, bits, &bytes));
}

/* The terms of a photo while they are gathered. */
typedef struct Gather {
    const Library *library;
    uint8_t key[DIGEST_LEN];
    bool trashed;
    Terms terms;
} Gather;

static void add(Gather *gather, TermKind kind, Str value) {
    if (gather->terms.n < TERMS_MAX) {
        gather->terms.all[gather->terms.n++] = hash_term(gather->key, gather->trashed, kind, value);
    }
}

static void add_words(Gather *gather, const char *text) {
    Str rest = words_fold(str_from(text), gather->library->arena), word;

    for (size_t i = 0; i < WORDS_MAX && words_next(&rest, &word); i++) {
        size_t before = 0;
        for (size_t n = 2; n <= TERM_PREFIX_MAX; n++) {
            size_t len = word_prefix_len(word, n);
            if (len == word.len) {
                break;
            }
            if (len > before) {
                add(gather, TERM_WORD, (Str){word.ptr, len});
            }
            before = len;
        }
        add(gather, TERM_WORD, word);
    }
}

static void add_camera(Gather *gather, const json_t *camera) {
    Arena *arena = gather->library->arena;
    const char *make = json_string_value(json_object_get(camera, "make"));
    const char *model = json_string_value(json_object_get(camera, "model"));

    add_words(gather, make);
    add_words(gather, model);
    add_words(gather, json_string_value(json_object_get(camera, "lens")));
    if (model) {
        add(gather, TERM_CAMERA, words_fold(str_from(model), arena));
    }
    if (make && model) {
        const char *both = arena_printf(arena, "%s %s", make, model);
        add(gather, TERM_CAMERA, words_fold(str_from(both), arena));
    }
}

static void add_lists(Gather *gather, const json_t *state) {
    const json_t *value;
    size_t i;

    json_array_foreach(json_object_get(state, "tags"), i, value) {
        const char *tag = json_string_value(value);
        add_words(gather, tag);
        add(gather, TERM_TAG, words_fold(str_from(tag), gather->library->arena));
    }
    json_array_foreach(json_object_get(state, "albums"), i, value) {
        Uuid id;
        if (uuid_parse(str_from(json_string_value(value)), &id) == 0) {
            add(gather, TERM_ALBUM, uuid_str(&id));
        }
    }
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void sort(Terms *terms) {
    size_t n = 0;

    qsort(terms->all, terms->n, sizeof(*terms->all), compare);
    for (size_t i = 0; i < terms->n; i++) {
        if (n == 0 || terms->all[i] != terms->all[n - 1]) {
            terms->all[n++] = terms->all[i];
        }
    }
    terms->n = n;
}

bool photo_phash(const json_t *state, uint64_t *ret_hash) {
    const char *text = json_string_value(json_object_get(state, "phash"));
    uint8_t bytes[8];
    uint64_t hash = 0;

    if (!text || strlen(text) != 16 || hex_decode(str_from(text), bytes, sizeof(bytes)) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        hash = hash << 8 | bytes[i];
    }
    *ret_hash = hash;
    return true;
}

void terms_of_photo(const Library *library, const json_t *state, Terms *ret_terms) {
    Gather gather = {.library = library,
                     .trashed = photo_trashed_us(state) != 0,
                     .terms.all = arena_alloc(library->arena, TERMS_MAX * sizeof(int64_t))};
    const char *name = json_string_value(json_object_get(state, "name"));
    const char *content_id = json_string_value(json_object_get(state, "content_id"));
    uint64_t phash;

    derive_key(library->key, gather.key);
    add(&gather, TERM_STEM, words_fold(name_stem(str_from(name)), library->arena));
    add_lists(&gather, state);
    if (json_is_true(json_object_get(state, "favourite"))) {
        add(&gather, TERM_FAVOURITE, (Str){0});
    }
    if (content_id) {
        add(&gather, TERM_CONTENT_ID, str_from(content_id));
    }
    add_camera(&gather, json_object_get(state, "camera"));
    if (photo_phash(state, &phash)) {
        for (unsigned band = 0; band < TERM_BANDS && gather.terms.n < TERMS_MAX; band++) {
            gather.terms.all[gather.terms.n++] =
                term_of_band(library->key, gather.trashed, band, (uint16_t)(phash >> (16 * band)));
        }
    }
    add_words(&gather, name);
    add_words(&gather, json_string_value(json_object_get(state, "caption")));
    secret_wipe(gather.key, sizeof(gather.key));
    sort(&gather.terms);
    *ret_terms = gather.terms;
}

bool terms_have(const Terms *terms, int64_t term) {
    return bsearch(&term, terms->all, terms->n, sizeof(term), compare) != NULL;
}
