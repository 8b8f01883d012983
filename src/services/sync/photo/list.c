/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/photos, and GET /v1/photos/{id}/similar. */

#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/photo/filter.h"
#include "services/sync/photo/photo_state.h"

/* A page looks at no more photos than that: it may be short, or empty, and yet have a next. */
#define LOOKED_AT_MAX 4000
#define FIRST_PART    500 /* of those that have one of several terms; the second is the rest */

/* Adds those of the rows that the list is of, while there is room; where the page ends, and how
 * many rows were looked at. */
static int add_photos(const Filter *filter, const Library *library, const PhotoRow *rows, size_t n,
                      json_t *photos, PhotoPlace *ret_last, size_t *ret_n) {
    *ret_n = 0;
    for (size_t i = 0; i < n && json_array_size(photos) < filter->limit; i++) {
        _cleanup_(object_done) Object photo = {0};
        int r = object_of_row(library, OBJECT_PHOTO, &rows[i].place.id, rows[i].object, &photo);
        if (r < 0) {
            return err_trace(r);
        }
        if (filter_takes(filter, library, photo.state)) {
            json_array_append_new(photos, object_json(OBJECT_PHOTO, &photo));
        }
        *ret_last = rows[i].place;
        *ret_n = i + 1;
    }
    return 0;
}

/* What a look finds, of several terms in a part of the library, so that what two common ones do not
 * have in common ends too; whether there is more after `query->after`. */
static int look(DbTx *tx, const Filter *filter, const Library *library, PhotoQuery *query,
                json_t *photos, size_t *looked_at, bool *ret_more) {
    /* One more than the page tells whether there is a next one. */
    size_t step = filter->limit + 1, n = 0, taken = 0;
    size_t part_max = *looked_at == 0 ? FIRST_PART : LOOKED_AT_MAX - *looked_at;
    bool several = query->n_terms > 1;
    PhotoRow *rows;
    int r = 0, part = PHOTO_INDEX_E_NONE;

    query->until = filter->query.until;
    if (several) {
        part = photo_index_nth(tx, library, query, part_max, &query->until);
    }
    r = part < 0 ? part : photo_index_find(tx, library, query, step, &rows, &n);
    if (r == 0) {
        r = add_photos(filter, library, rows, n, photos, &query->after, &taken);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *looked_at += several ? part_max : n;
    *ret_more = n == step || taken < n;
    if (part == 0 && !*ret_more) {
        query->after = query->until;
        *ret_more = true;
    }
    return 0;
}

static int list(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Filter *filter = userdata;
    Library library = library_of_call(call);
    PhotoQuery query = filter->query;
    json_t *photos = json_array();
    size_t looked_at = 0;
    bool more = true;
    int r = query.n_terms > 1 ? photo_index_rarest_first(tx, &library, &query) : 0;

    call->body = json_pack("{s:o}", "photos", photos);
    *ret_failure = SYNC_FAILURE_NONE;
    while (r == 0 && more && json_array_size(photos) < filter->limit && looked_at < LOOKED_AT_MAX) {
        r = look(tx, filter, &library, &query, photos, &looked_at, &more);
    }
    if (r < 0) {
        return err_trace(r);
    }
    if (more) {
        json_object_set_new(call->body, "next",
                            json_string(filter_cursor(&query.after, call->arena)));
    }
    return 0;
}

static SyncFailure get(SyncCall *call) {
    Filter filter;
    SyncFailure failure = filter_read(call, &filter);

    if (failure == SYNC_FAILURE_NONE && filter.nothing) {
        call->body = json_pack("{s:[]}", "photos");
        return SYNC_FAILURE_NONE;
    }
    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, list, &filter) : failure;
}

void photo_list_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get);
}

#define SIMILAR_DISTANCE_MAX 10  /* bits of 64 */
#define SIMILAR_PROBED_MAX   200 /* of a band */
#define SIMILAR_MAX          50

/* The band as it is, and with each of its bits the other way. */
static void probes_of(const Library *library, unsigned band, uint64_t phash,
                      int64_t ret_terms[PHOTO_PROBES]) {
    uint16_t bits = (uint16_t)(phash >> (16 * band));

    ret_terms[0] = term_of_band(library->key, false, band, bits);
    for (unsigned i = 0; i < 16; i++) {
        ret_terms[1 + i] = term_of_band(library->key, false, band, (uint16_t)(bits ^ (1U << i)));
    }
}

static bool is_listed(const json_t *found, const char *id) {
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *photo = json_object_get(json_array_get(found, i), "photo");
        if (strcmp(json_string_value(json_object_get(photo, "id")), id) == 0) {
            return true;
        }
    }
    return false;
}

static int add_if_similar(DbTx *tx, const Library *library, const Uuid *id, uint64_t phash,
                          json_t *found) {
    _cleanup_(object_done) Object photo = {0};
    char text[UUID_TEXT_SIZE];
    uint64_t other;
    int r, distance;

    uuid_text(id, text);
    if (is_listed(found, text)) {
        return 0;
    }
    r = object_get(tx, library, OBJECT_PHOTO, id, &photo);
    if (r != 0 || !photo_phash(photo.state, &other)) {
        return r < 0 ? err_trace(r) : 0;
    }
    distance = __builtin_popcountll(phash ^ other);
    if (distance <= SIMILAR_DISTANCE_MAX && json_array_size(found) < SIMILAR_MAX) {
        json_array_append_new(found, json_pack("{s:i,s:o}", "distance", distance, "photo",
                                               object_json(OBJECT_PHOTO, &photo)));
    }
    return 0;
}

static int probe(DbTx *tx, const Library *library, const Uuid *self, uint64_t phash,
                 json_t *found) {
    for (unsigned band = 0; band < TERM_BANDS; band++) {
        int64_t terms[PHOTO_PROBES];
        Uuid *ids;
        size_t n;
        probes_of(library, band, phash, terms);
        int r = photo_index_probe(tx, library, terms, SIMILAR_PROBED_MAX, &ids, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            if (!uuid_equal(&ids[i], self)) {
                r = add_if_similar(tx, library, &ids[i], phash, found);
            }
        }
        if (r < 0) {
            return err_trace(r);
        }
    }
    return 0;
}

static int look_similar(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Uuid *id = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object photo = {0};
    json_t *found;
    uint64_t phash;
    int r = change_begin(tx, call, OBJECT_PHOTO, id, CHANGE_ANY_VERSION, NULL, &photo, ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    found = json_array();
    call->body = json_pack("{s:o}", "similar", found);
    return photo_phash(photo.state, &phash) ? err_trace(probe(tx, &library, id, phash, found)) : 0;
}

static SyncFailure similar(SyncCall *call) {
    Uuid id;
    SyncFailure failure = sync_call_id(call, "id", &id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, look_similar, &id) : failure;
}

void photo_similar_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, similar);
}
