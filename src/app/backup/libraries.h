/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* All libraries of a database and their files, for commands that walk them. */

#include "app/cli.h"
#include "app/key_access.h"
#include "core/ports/blobs.h"
#include "services/sync/blob_store.h"

typedef struct Libraries {
    KeyAccess access;
    Blobs *blobs;
} Libraries;

/* The database, its keys and its store of files, which must be there. 0, or a fault with a whole
 * sentence. */
int libraries_open(const Settings *settings, Arena *arena, Libraries *ret_libraries,
                   const char **reterr_text);
void libraries_done(Libraries *libraries);

/* 0 to go on, or a fault. `key` NULL: there is none, or it does not open. */
typedef int LibraryVisit(const Uuid *user_id, const UserKey *key, void *userdata);
int libraries_each(const Libraries *libraries, LibraryVisit *visit, void *userdata);

/* 0 to go on, or a fault. A blob without a name is one whose key does not open. */
typedef int BlobVisit(const StoredBlob *blob, void *userdata);
int libraries_each_blob(const Libraries *libraries, const UserKey *key, BlobVisit *visit,
                        void *userdata);
