/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an ingest needs of a stored file, as a sealed memory file: all of a picture or of a raw
 * file, but of films, which may have gigabytes, only the box that describes them. */

#include "core/model/photo_type.h"
#include "services/sync/blob_store.h"

#define EXCERPT_PICTURE_MAX ((uint64_t)512 << 20)
#define EXCERPT_FILM_MAX    ((uint64_t)64 << 20) /* the "moov" box of hours of film */

enum {
    EXCERPT_E_TOO_LARGE = 1,
    EXCERPT_E_BROKEN, /* a film without a "moov" box */
    EXCERPT_E_LOST,   /* the store does not have it, or not as it was written */
};

/* 0 with the file and its length, a condition, or a fault of the store. */
int excerpt_take(Blobs *blobs, const StoredBlob *blob, PhotoKind kind, Arena *arena, int *ret_fd,
                 uint64_t *ret_len);
