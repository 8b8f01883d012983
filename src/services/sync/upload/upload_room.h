/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Room for an upload in its library, as far as the quota has some; reserved before bytes are taken.
 * One whose length is known has all of it from the beginning. Another, of a form, has a step at a
 * time, the last as much as is left: what it may bring is never more than the library may take.
 */

#include "services/sync/internal.h"
#include "services/sync/upload/upload_store.h"

#define UPLOAD_ROOM_STEP ((uint64_t)16 << 20)

enum {
    UPLOAD_ROOM_E_QUOTA = 1,
    UPLOAD_ROOM_E_LOST, /* as UPLOAD_E_LOST */
};

/* What a new upload is to reserve; `ahead` is the first step of one whose length is not known. In
 * the transaction that adds the upload and this to sync_usage. 0, QUOTA or a fault. */
int upload_room_first(DbTx *tx, SyncService *service, const Uuid *user_id, uint64_t length,
                      uint64_t ahead, Arena *arena, uint64_t *ret_reserved);

/* So that it has room for `n` bytes after those that came: sets upload->reserved. In a transaction
 * of its own when there is not enough. 0, QUOTA, LOST or a fault. */
int upload_room_grow(SyncService *service, const UserKey *key, Upload *upload, uint64_t n);
