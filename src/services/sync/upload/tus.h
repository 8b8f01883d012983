/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the requests of tus share: how they begin and how they are answered. */

#include "services/sync/call.h"
#include "services/sync/upload/upload_finish.h"
#include "services/sync/upload/upload_writer.h"

#define UPLOADS_PATH "/v1/uploads"

/* Who calls, and whether they speak tus 1.0.0. */
SyncFailure tus_admit(SyncService *service, HttpRequest *request, SyncCall *ret_call);

/* What is told of an upload besides status: its place, its offset, what became of it. */
typedef struct TusAnswer {
    unsigned status;
    const Upload *upload;
    uint64_t offset;
    const UploadEnd *end; /* NULL: nothing yet */
    bool is_new;          /* with Location */
    bool in_full;         /* what HEAD gives */
} TusAnswer;
/* Answers, and ends the call. */
void tus_answer(SyncCall *call, const TusAnswer *answer);
void tus_refuse(SyncCall *call, SyncFailure failure);

/* A condition of upload_writer_*() or upload_finish(), or a fault, as a failure. */
SyncFailure tus_of_writer(SyncCall *call, int r);
SyncFailure tus_of_finish(SyncCall *call, int r);

/* The upload {id} of the caller's, in the call's arena: not one that has expired. */
SyncFailure tus_find(SyncCall *call, Upload *ret_upload);

/* What has come of one that was settled before. */
UploadEnd tus_end_of(const Upload *upload);

/* Makes the row, when the quota has room. `upload` is filled but for what is made here. With `take`
 * it gets a lease, for the writer that is opened next. */
SyncFailure tus_create_upload(SyncCall *call, Upload *upload, bool take);

/* Whether the quota has room for the request's body, as far as it says how long that is. */
SyncFailure tus_check_room(SyncCall *call);

/* Puts the parts together in the writer's upload: reads each and adds it. */
SyncFailure tus_join(SyncCall *call, UploadWriter *writer, const Uuid *parts, size_t n_parts);
/* The length of all parts, each of which is whole. */
SyncFailure tus_parts_length(SyncCall *call, const Uuid *parts, size_t n_parts,
                             uint64_t *ret_length);
/* They are in the whole now. */
void tus_drop_parts(SyncCall *call, const Uuid *parts, size_t n_parts);
