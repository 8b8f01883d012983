/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/photos.h"

#include "base/error.h"
#include "base/log.h"
#include "services/sync/edit/edit_index.h"
#include "services/sync/photo/patch.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/reingest.h"

void purged_blobs_remove(Blobs *blobs, const PurgedBlobs *purged) {
    for (size_t i = 0; i < purged->n; i++) {
        int r = blobs_remove(blobs, str_from(purged->names[i]));
        if (r < 0) {
            log_warn("a removed photo's file stays until orphans are collected",
                     LOG_STR("error", strerrordesc_np(-r)));
        }
    }
}

int photo_other_half(DbTx *tx, const Library *library, const Object *photo, Object *ret_half) {
    Uuid id;
    int r;

    if (!state_uuid(photo->state, "pair", &id)) {
        return OBJECT_E_NONE;
    }
    r = object_get(tx, library, OBJECT_PHOTO, &id, ret_half);
    return r == OBJECT_E_REMOVED ? OBJECT_E_NONE : r < 0 ? err_trace(r) : r;
}

static int put_patched(DbTx *tx, const Library *library, const json_t *patch, Object *photo) {
    _cleanup_(json_decrefp) json_t *state = json_deep_copy(photo->state);
    Object changed;
    int r;

    patch_apply(patch, library->now_us, state);
    if (json_equal(state, photo->state)) {
        return 0;
    }
    r = object_put(tx, library, OBJECT_PHOTO, &photo->id, photo->version, state, &changed);
    if (r < 0) {
        return err_trace(r);
    }
    object_done(photo);
    *photo = changed;
    return 0;
}

static int patch_half(DbTx *tx, const Library *library, const json_t *patch, const Object *photo) {
    _cleanup_(object_done) Object half = {0};
    int r = photo_other_half(tx, library, photo, &half);

    if (r == 0) {
        r = put_patched(tx, library, patch, &half);
    }
    return r < 0 ? err_trace(r) : 0;
}

int photo_half_follow(DbTx *tx, const Library *library, const json_t *state, const Object *photo) {
    _cleanup_(json_decrefp) json_t *patch = json_object();
    json_t *albums = json_object_get(state, "albums");
    bool trashed = photo_trashed_us(state) != 0;

    if ((photo_trashed_us(photo->state) != 0) != trashed) {
        json_object_set_new(patch, "trashed", json_boolean(trashed));
    }
    if (albums && !json_equal(albums, json_object_get(photo->state, "albums"))) {
        json_object_set(patch, "albums", albums);
    }
    return json_object_size(patch) == 0 ? 0 : err_trace(patch_half(tx, library, patch, photo));
}

int photo_set_trashed(DbTx *tx, const Library *library, bool trashed, Object *photo) {
    _cleanup_(json_decrefp) json_t *patch = json_pack("{s:b}", "trashed", trashed);
    int r = patch_half(tx, library, patch, photo);

    return r < 0 ? err_trace(r) : err_trace(put_patched(tx, library, patch, photo));
}

static int drop_blob(DbTx *tx, const Library *library, const json_t *holder, PurgedBlobs *purged) {
    StoredBlob blob;
    Uuid id;
    int r;

    if (!state_uuid(holder, "blob", &id)) {
        return 0;
    }
    r = blob_store_get(tx, library->key, &id, library->arena, &blob);
    if (r != 0) {
        return r == BLOB_STORE_E_NONE ? 0 : err_trace(r);
    }
    if (purged->n < PURGED_BLOBS_MAX) {
        memcpy(purged->names[purged->n++], blob.name, sizeof(blob.name));
    }
    purged->change.files--;
    purged->change.bytes -= (int64_t)blob.size;
    stored_blob_done(&blob);
    return err_trace(blob_store_remove(tx, &library->key->user_id, &id));
}

static int drop_edits(DbTx *tx, const Library *library, const Uuid *photo_id) {
    Uuid *ids;
    size_t n;
    int r = edit_index_list(tx, library, photo_id, &ids, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        Object edit, removed;
        r = object_get(tx, library, OBJECT_EDIT, &ids[i], &edit);
        if (r == 0) {
            object_done(&edit);
            r = object_remove(tx, library, OBJECT_EDIT, &ids[i], edit.version, &removed);
        }
        r = r > 0 ? 0 : r;
    }
    return err_trace(r);
}

static int purge_one(DbTx *tx, const Library *library, const Object *photo, PurgedBlobs *purged,
                     Object *ret_photo) {
    const json_t *renditions = json_object_get(photo->state, "renditions");
    int r = drop_blob(tx, library, photo->state, purged);

    if (r == 0) {
        r = drop_blob(tx, library, json_object_get(renditions, "mezzanine"), purged);
    }
    if (r == 0) {
        r = drop_blob(tx, library, json_object_get(renditions, "thumbnail"), purged);
    }
    if (r == 0) {
        r = drop_edits(tx, library, &photo->id);
    }
    if (r == 0) {
        r = reingest_forget(tx, &library->key->user_id, &photo->id);
    }
    if (r == 0) {
        r = object_remove(tx, library, OBJECT_PHOTO, &photo->id, photo->version, ret_photo);
    }
    return err_trace(r);
}

int photo_purge(DbTx *tx, const Library *library, const Object *photo, PurgedBlobs *purged,
                Object *ret_photo) {
    _cleanup_(object_done) Object half = {0};
    int r;

    purged->n = 0;
    purged->change = (Usage){0};
    if (photo_trashed_us(photo->state) == 0) {
        return PHOTOS_E_NOT_TRASHED;
    }
    r = photo_other_half(tx, library, photo, &half);
    if (r == 0 && photo_trashed_us(half.state) != 0) {
        Object removed;
        r = purge_one(tx, library, &half, purged, &removed);
    }
    r = r < 0 ? r : purge_one(tx, library, photo, purged, ret_photo);
    return r < 0 ? err_trace(r) : err_trace(usage_add(tx, &library->key->user_id, &purged->change));
}
