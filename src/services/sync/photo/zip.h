/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Originals of many photos as one ZIP archive (APPNOTE.TXT 6.3.10), made while it is sent: stored
 * as they are, with their sizes, ZIP64 where it must be. Nothing but identifiers and names is kept
 * meanwhile. Photos that are removed before their turn are left out.
 */

#include "services/sync/call.h"
#include "services/sync/objects.h"

#define ZIP_PHOTOS_MAX 50000

/* `ids` is taken over (malloc). The key is copied, and wiped at the end. */
void zip_respond(HttpRequest *request, SyncService *service, const UserKey *key, Uuid *ids,
                 size_t n_ids, const char *archive_name);

/* The ids of an album's photos, newest first, at most ZIP_PHOTOS_MAX, malloc'ed; the trash is left
 * out. In a transaction. 0 or a fault. */
int zip_album_ids(DbTx *tx, const Library *library, const Uuid *album_id, Uuid **ret_ids,
                  size_t *ret_n);

/* Whether it is a JSON array of 1 to ZIP_PICKED_MAX ids of photos. */
#define ZIP_PICKED_MAX 1000
bool zip_picked_valid(const json_t *list);

/* The photos of such an array, each once, and behind each its other half, malloc'ed. In a
 * transaction. 0 or a fault. */
int zip_picked_ids(DbTx *tx, const Library *library, const json_t *list, Uuid **ret_ids,
                   size_t *ret_n);
