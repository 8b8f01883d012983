/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An upload whose bytes are all there becomes a photo of the library. */

#include "services/sync/objects.h"
#include "services/sync/upload/upload_writer.h"

enum {
    UPLOAD_FINISH_E_EMPTY = 1, /* no bytes: the upload is removed */
    UPLOAD_FINISH_E_TYPE,      /* nothing that a library takes: likewise */
    UPLOAD_FINISH_E_TAKEN,     /* another has it now, or it is gone */
};

typedef struct UploadEnd {
    UploadOutcome outcome;
    Uuid photo_id;
    const char *status; /* upload_outcome_text() */
} UploadEnd;

/* "added", "known", "restored", "skipped". */
const char *upload_outcome_text(UploadOutcome outcome);

/*
 * Of the writer's upload, which stays to be closed. `device_id` is whose act it is. 0, a condition
 * or a fault; after a fault that goes by it can be done again.
 */
int upload_finish(UploadWriter *writer, const Uuid *device_id, Arena *arena, UploadEnd *ret_end);

/* Removes an upload, whatever has come of it. Of one that is settled the photo stays. */
int upload_discard(SyncService *service, const UserKey *key, const Upload *upload);
