/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Originals of many photos as one ZIP archive (core/archive), made while it is sent. Photos that
 * are removed before their turn are left out. When the store or the database fails the connection
 * is cut, so that what has arrived is no whole archive.
 */

#include "services/sync/call.h"
#include "services/sync/objects.h"

#define ZIP_PHOTOS_MAX 200000 /* some 50 MB of names and directory */

/* `ids` is taken over (malloc). The key is copied, and wiped at the end. */
typedef struct ZipPhotos {
    Uuid *ids;
    size_t n_ids;
    const char *archive_name;
    bool bare; /* without what photo_file_bare() keeps back */
} ZipPhotos;
void zip_respond(HttpRequest *request, SyncService *service, const UserKey *key,
                 const ZipPhotos *photos);

enum {
    ZIP_E_TOO_MANY = 1, /* more than ZIP_PHOTOS_MAX */
};
#define ZIP_TOO_MANY_DETAIL "An archive holds at most 200000 photos: pick some of them."

/* The ids of an album's photos, newest first, malloc'ed; the trash is left out. In a transaction.
 * 0, ZIP_E_TOO_MANY, or a fault. */
int zip_album_ids(DbTx *tx, const Library *library, const Uuid *album_id, Uuid **ret_ids,
                  size_t *ret_n);

/* Whether it is a JSON array of 1 to ZIP_PICKED_MAX ids of photos. */
#define ZIP_PICKED_MAX 1000
bool zip_picked_valid(const json_t *list);

/* The photos of such an array, each once, and behind each its other half, malloc'ed. In a
 * transaction. 0 or a fault. */
int zip_picked_ids(DbTx *tx, const Library *library, const json_t *list, Uuid **ret_ids,
                   size_t *ret_n);
