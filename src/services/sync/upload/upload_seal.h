/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The sealed columns of sync_upload. What is given lies in the arena; opening gives 0 or a fault
 * (-EBADMSG: does not open, or is not of this form). */

#include "services/sync/upload/upload_store.h"

Str upload_seal_key(const UserKey *key, const Uuid *id, Str blob_key, Arena *arena);
int upload_open_key(const UserKey *key, const Uuid *id, Str sealed, Arena *arena,
                    uint8_t ret_blob_key[AEAD_KEY_LEN]);

Str upload_seal_about(const UserKey *key, const Uuid *id, const UploadAbout *about, Arena *arena);
int upload_open_about(const UserKey *key, const Uuid *id, Str sealed, Arena *arena,
                      UploadAbout *ret_about);

Str upload_seal_progress(const UserKey *key, const Uuid *id, const UploadProgress *progress,
                         Arena *arena);
/* The offset, which is a column of its own, is there already: the tail must be of its length. */
int upload_open_progress(const UserKey *key, const Uuid *id, Str sealed, Arena *arena,
                         UploadProgress *progress);

/* Empty: not half of anything. */
Str upload_pair_hash(const UserKey *key, const UploadAbout *about, Arena *arena);
