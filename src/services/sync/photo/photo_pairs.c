/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/photo_pairs.h"

#include "base/error.h"
#include "services/sync/photo/patch.h"
#include "services/sync/photo/photo_index.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/photos.h"
#include "services/sync/photo/words.h"

#define HALVES_MAX     20             /* with one name or identifier that are looked at */
#define BATCH_MS       (10LL * 60000) /* halves without a time were sent within it */
#define HALVES_APART_S 2LL            /* between the times of two halves */

static int64_t apart(int64_t a, int64_t b) {
    return a > b ? a - b : b - a;
}

static const char *content_id(const json_t *state) {
    return json_string_value(json_object_get(state, "content_id"));
}

/* Whether the camera says so; then names and times count for nothing. */
static bool are_one(const json_t *a, const json_t *b) {
    const char *one = content_id(a), *other = content_id(b);

    return one && other && strcmp(one, other) == 0 && photo_kind(a) != photo_kind(b);
}

static bool has_zone(const json_t *state) {
    return json_object_get(state, "offset") != NULL;
}

/* Whether their times can be compared: a film may know UTC where a picture knows the clock there.
 */
static bool have_times(const json_t *a, const json_t *b) {
    return json_object_get(a, "captured") && json_object_get(b, "captured") &&
           (has_zone(a) == has_zone(b) ||
            (photo_kind(a) != PHOTO_KIND_VIDEO && photo_kind(b) != PHOTO_KIND_VIDEO));
}

/* Whether it looks so. */
static bool are_alike(const json_t *a, const json_t *b) {
    PhotoKind one = photo_kind(a), other = photo_kind(b);

    if ((content_id(a) && content_id(b)) ||
        (one == PHOTO_KIND_PICTURE) == (other == PHOTO_KIND_PICTURE) || one == PHOTO_KIND_OTHER ||
        other == PHOTO_KIND_OTHER) {
        return false;
    }
    if (!have_times(a, b)) {
        return apart(json_integer_value(json_object_get(a, "added")),
                     json_integer_value(json_object_get(b, "added"))) <= BATCH_MS;
    }
    return has_zone(a) && has_zone(b)
               ? apart(photo_sort_us(a), photo_sort_us(b)) <= HALVES_APART_S * 1000000
               : apart(photo_local_s(a), photo_local_s(b)) <= HALVES_APART_S;
}

static void set_pair(json_t *state, const Uuid *id) {
    char text[UUID_TEXT_SIZE];

    uuid_text(id, text);
    json_object_set_new(state, "pair", json_string(text));
}

static bool has_value(const json_t *list, const json_t *value) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_equal(json_array_get(list, i), value)) {
            return true;
        }
    }
    return false;
}

/* What either lies in, both do. */
static void share_albums(json_t *a, json_t *b) {
    json_t *albums = json_array();
    json_t *const states[] = {a, b};

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        const json_t *own = json_object_get(states[i], "albums");
        for (size_t k = 0; k < json_array_size(own); k++) {
            json_t *album = json_array_get(own, k);
            if (!has_value(albums, album) && json_array_size(albums) < PHOTO_ALBUMS_MAX) {
                json_array_append(albums, album);
            }
        }
    }
    if (json_array_size(albums) > 0) {
        json_object_set_new(a, "albums", json_deep_copy(albums));
        json_object_set_new(b, "albums", json_incref(albums));
    }
    json_decref(albums);
}

int photo_pair_join(DbTx *tx, const Library *library, const Uuid *id, json_t *state,
                    const Object *other) {
    _cleanup_(json_decrefp) json_t *changed = json_deep_copy(other->state);
    _cleanup_(object_done) Object written = {0};

    set_pair(changed, id);
    set_pair(state, &other->id);
    share_albums(state, changed);
    return err_trace(
        object_put(tx, library, OBJECT_PHOTO, &other->id, other->version, changed, &written));
}

int photo_pair_part(DbTx *tx, const Library *library, const Object *photo) {
    _cleanup_(object_done) Object other = {0}, written = {0};
    _cleanup_(json_decrefp) json_t *changed = NULL;
    Uuid back;
    int r = photo_other_half(tx, library, photo, &other);

    if (r != 0 || !state_uuid(other.state, "pair", &back) || !uuid_equal(&back, &photo->id)) {
        return r < 0 ? err_trace(r) : 0;
    }
    changed = json_deep_copy(other.state);
    json_object_del(changed, "pair");
    return err_trace(
        object_put(tx, library, OBJECT_PHOTO, &other.id, other.version, changed, &written));
}

/* Those of a term, in the same place: the library, or the trash. */
static int find_by(DbTx *tx, const Library *library, const Uuid *id, json_t *state, TermKind kind,
                   Str value, bool (*belong)(const json_t *a, const json_t *b)) {
    bool trashed = photo_trashed_us(state) != 0;
    PhotoQuery query = {.trashed = trashed,
                        .after = {.sort_us = INT64_MAX},
                        .from_us = INT64_MIN,
                        .to_us = INT64_MAX,
                        .n_terms = 1,
                        .terms = {term_of(library->key, trashed, kind, value)}};
    PhotoRow *rows;
    size_t n = 0;
    int r = photo_index_find(tx, library, &query, HALVES_MAX, &rows, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_(object_done) Object other = {0};
        const char *status;
        if (uuid_equal(&rows[i].place.id, id)) {
            continue;
        }
        r = object_of_row(library, OBJECT_PHOTO, &rows[i].place.id, rows[i].object, &other);
        if (r < 0) {
            break;
        }
        /* Of one that nobody has looked into yet too little is known: it will find us. */
        status = json_string_value(json_object_get(other.state, "status"));
        if (status && strcmp(status, "processing") != 0 && !json_object_get(other.state, "pair") &&
            belong(state, other.state)) {
            return err_trace(photo_pair_join(tx, library, id, state, &other));
        }
    }
    return err_trace(r);
}

int photo_pair_find(DbTx *tx, const Library *library, const Uuid *id, json_t *state) {
    const char *name = json_string_value(json_object_get(state, "name"));
    const char *identifier = content_id(state);
    int r = 0;

    if (json_object_get(state, "pair")) {
        return 0;
    }
    if (identifier) {
        r = find_by(tx, library, id, state, TERM_CONTENT_ID, str_from(identifier), are_one);
    }
    if (r == 0 && !json_object_get(state, "pair")) {
        r = find_by(tx, library, id, state, TERM_STEM,
                    words_fold(name_stem(str_from(name)), library->arena), are_alike);
    }
    return err_trace(r);
}
