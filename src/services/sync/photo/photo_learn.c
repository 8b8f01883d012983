/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/photo_learn.h"

#include "base/error.h"
#include "services/sync/photo/photo_pairs.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/reingest.h"
#include "services/sync/usage.h"

#include <stdio.h>

enum {
    PLACES_GET,
    PLACES_PUT,
    _LEARN_STATEMENT_MAX,
};

const DbStatement photo_learn_statements[_LEARN_STATEMENT_MAX] = {
    [PLACES_GET] = {"places_get", "SELECT keep_places FROM sync_library WHERE user_id = ?", 1, 1},
    [PLACES_PUT] = {"places_put",
                    "INSERT INTO sync_library (user_id, keep_places) VALUES (?, ?)"
                    " ON CONFLICT (user_id) DO UPDATE SET keep_places = excluded.keep_places",
                    2, 0},
};
const size_t photo_learn_statements_len = _LEARN_STATEMENT_MAX;

int library_keeps_places(DbTx *tx, const Library *library, bool *ret_keeps) {
    const DbValue *row;
    int r =
        db_query_one(tx, &photo_learn_statements[PLACES_GET],
                     (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id))}, library->arena, &row);

    *ret_keeps = r == 0 && row[0].integer != 0;
    return r == 0 || r == DB_E_NONE ? 0 : err_trace(r < 0 ? r : -EIO);
}

int library_keep_places(DbTx *tx, const Library *library, bool keeps) {
    int r = db_exec(tx, &photo_learn_statements[PLACES_PUT],
                    (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)), DB_INT(keeps)}, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static void set_text(json_t *object, const char *name, const char *text) {
    if (text[0]) {
        json_object_set_new(object, name, json_string(text));
    }
}

static void set_number(json_t *object, const char *name, double value) {
    if (value > 0) {
        json_object_set_new(object, name, json_real(value));
    }
}

/* An object that has no member says nothing. */
static void set_object(json_t *state, const char *name, json_t *object) {
    if (json_object_size(object) > 0) {
        json_object_set_new(state, name, object);
    } else {
        json_decref(object);
    }
}

static void set_time(json_t *state, const PhotoInfo *info) {
    char text[LOCAL_TIME_SIZE];

    if (!info->taken[0]) {
        return;
    }
    snprintf(text, sizeof(text), "%.19s", info->taken);
    json_object_set_new(state, "captured", json_string(text));
    if (info->has_taken_offset) {
        json_object_set_new(state, "offset", json_integer(info->taken_offset_min));
    }
}

static void set_info(json_t *state, const PhotoInfo *info, bool keep_place) {
    json_t *camera = json_object(), *exposure = json_object();

    set_time(state, info);
    set_text(state, "content_id", info->content_id);
    set_text(camera, "make", info->make);
    set_text(camera, "model", info->model);
    set_text(camera, "lens", info->lens);
    set_object(state, "camera", camera);
    set_number(exposure, "seconds", info->exposure_s);
    set_number(exposure, "f_number", info->f_number);
    set_number(exposure, "focal_length_mm", info->focal_length_mm);
    if (info->iso > 0) {
        json_object_set_new(exposure, "iso", json_integer(info->iso));
    }
    set_object(state, "exposure", exposure);
    if (keep_place && info->has_place) {
        json_t *place = json_pack("{s:f,s:f}", "lat", info->latitude, "lon", info->longitude);
        if (info->has_altitude) {
            json_object_set_new(place, "alt", json_real(info->altitude_m));
        }
        json_object_set_new(state, "place", place);
    }
}

static json_t *rendition_json(const RenderFile *file, const StoredBlob *blob) {
    char id[UUID_TEXT_SIZE];

    uuid_text(&blob->id, id);
    return json_pack("{s:s,s:i,s:i,s:s,s:I}", "blob", id, "width", (int)file->width, "height",
                     (int)file->height, "type", output_format_media_type(file->format), "size",
                     (json_int_t)blob->size);
}

static void set_size(json_t *state, uint32_t width, uint32_t height) {
    if (width > 0 && height > 0) {
        json_object_set_new(state, "width", json_integer(width));
        json_object_set_new(state, "height", json_integer(height));
    }
}

static void set_rendering(json_t *state, const Rendering *rendering, bool keep_place) {
    char hash[17];

    set_size(state, rendering->info.width, rendering->info.height);
    set_size(state, rendering->film.width, rendering->film.height);
    set_size(state, rendering->raw.width, rendering->raw.height);
    set_number(state, "duration", (double)rendering->film.duration_ms / 1000);
    set_info(state, &rendering->photo, keep_place);
    set_text(state, "metadata", rendering->photo.blanks);
    if (rendering->hash != PHOTO_HASH_NONE) {
        snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)rendering->hash);
        json_object_set_new(state, "phash", json_string(hash));
    }
}

static json_t *learned_json(const Lesson *lesson, bool keep_place) {
    json_t *learned = json_object();

    if (lesson->rendering) {
        set_rendering(learned, lesson->rendering, keep_place);
    }
    if (lesson->mezzanine) {
        json_object_set_new(
            learned, "renditions",
            json_pack("{s:o,s:o}", "mezzanine",
                      rendition_json(&lesson->rendering->mezzanine, lesson->mezzanine), "thumbnail",
                      rendition_json(&lesson->rendering->thumbnail, lesson->thumbnail)));
    }
    return learned;
}

static void set_status(json_t *state, const Lesson *lesson) {
    if (!lesson->reason) {
        json_object_set_new(state, "status", json_string("ready"));
        json_object_del(state, "reason");
    } else if (!lesson->again) {
        json_object_set_new(state, "status", json_string("unreadable"));
        json_object_set_new(state, "reason", json_string(lesson->reason));
    }
}

/* What is there stays, as what the owner has said of the time; but where metadata lies is for those
 * who hide it, and known best by who looked last. */
static void set_learned(json_t *state, const Lesson *lesson, bool keep_place) {
    _cleanup_(json_decrefp) json_t *learned = learned_json(lesson, keep_place);
    json_t *blanks = json_object_get(learned, "metadata");

    if (json_object_get(state, "captured")) {
        json_object_del(learned, "offset");
    }
    if (blanks) {
        json_object_set(state, "metadata", blanks);
    }
    json_object_update_missing(state, learned);
    set_status(state, lesson);
}

bool photo_is_to_learn(const json_t *state, bool again) {
    const char *status = json_string_value(json_object_get(state, "status"));

    return status && strcmp(status, again ? "processing" : "ready") != 0;
}

int photo_learn(DbTx *tx, const Library *library, const Uuid *photo_id, const Lesson *lesson) {
    _cleanup_(object_done) Object photo = {0}, changed = {0};
    _cleanup_(json_decrefp) json_t *state = NULL;
    bool keep_place;
    int r = object_get(tx, library, OBJECT_PHOTO, photo_id, &photo);

    if (r != 0) {
        return r < 0 ? err_trace(r) : PHOTO_LEARN_E_SETTLED;
    }
    if (!photo_is_to_learn(photo.state, lesson->again)) {
        return PHOTO_LEARN_E_SETTLED;
    }
    r = library_keeps_places(tx, library, &keep_place);
    if (r < 0) {
        return err_trace(r);
    }
    state = json_deep_copy(photo.state);
    set_learned(state, lesson, keep_place);
    if (json_equal(state, photo.state)) {
        return lesson->again ? PHOTO_LEARN_E_SETTLED : 0; /* as unreadable as it was */
    }
    r = photo_pair_find(tx, library, photo_id, state);
    if (r == 0 && lesson->mezzanine) {
        r = blob_store_add(tx, library->key, lesson->mezzanine, library->now_us, library->arena);
        r = r < 0 ? r
                  : blob_store_add(tx, library->key, lesson->thumbnail, library->now_us,
                                   library->arena);
    }
    if (r == 0) {
        r = object_put(tx, library, OBJECT_PHOTO, photo_id, photo.version, state, &changed);
    }
    if (r == 0) {
        r = reingest_looked(tx, &library->key->user_id, photo_id);
    }
    if (r == 0 && lesson->mezzanine) {
        r = usage_add(
            tx, &library->key->user_id,
            &(Usage){.files = 2,
                     .bytes = (int64_t)(lesson->mezzanine->size + lesson->thumbnail->size)});
    }
    return err_trace(r);
}
