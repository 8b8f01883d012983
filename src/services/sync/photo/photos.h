/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is done to photos as a whole: both halves of a pair go the same way. Calls run in a
 * transaction of the caller's. */

#include "services/sync/blob_store.h"
#include "services/sync/objects.h"

/* The files of photos that are no more, by their names in the store: to be removed after the
 * commit. */
#define PURGED_BLOBS_MAX 16
typedef struct PurgedBlobs {
    char names[PURGED_BLOBS_MAX][BLOB_STORE_NAME_SIZE];
    size_t n;
} PurgedBlobs;
void purged_blobs_remove(Blobs *blobs, const PurgedBlobs *purged);

/* Puts it into the trash, or takes it out, and its other half too. `photo` is the state that it
 * has, and gets the new one. 0 or a fault. */
int photo_set_trashed(DbTx *tx, const Library *library, bool trashed, Object *photo);

/* The other half of a pair, when there is one, goes where the new state of `photo` takes it: into
 * the trash or out of it, and into the same albums. 0 or a fault. */
int photo_half_follow(DbTx *tx, const Library *library, const json_t *state, const Object *photo);

/*
 * Removes a photo that is in the trash, its other half if it is there too, and their edits; fills
 * `purged` anew. `ret_photo` is the tombstone. That it was here, its content stays known for
 * (photo_add.h). 0, PHOTOS_E_NOT_TRASHED, or a fault.
 */
enum {
    PHOTOS_E_NOT_TRASHED = 1,
};
int photo_purge(DbTx *tx, const Library *library, const Object *photo, PurgedBlobs *purged,
                Object *ret_photo);

/* The other half of a pair, when there is one: 0, OBJECT_E_NONE, or a fault. */
int photo_other_half(DbTx *tx, const Library *library, const Object *photo, Object *ret_half);
