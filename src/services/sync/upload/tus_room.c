/* SPDX-License-Identifier: Apache-2.0 */

/* New uploads, as far as the quota has room for them. */

#include "base/error.h"
#include "base/http/stream.h"
#include "services/sync/upload/tus.h"
#include "services/sync/upload/upload_room.h"
#include "services/sync/usage.h"

/* What the request brings in all; 0: it does not say, or nothing. */
static uint64_t body_len(const SyncCall *call) {
    uint64_t length = 0;

    (void)http_request_body_len(call->request, &length);
    return length;
}

typedef struct Creation {
    SyncCall *call;
    Upload *upload;
} Creation;

static int create(DbTx *tx, void *userdata) {
    const Creation *creation = userdata;
    SyncCall *call = creation->call;
    Upload *upload = creation->upload;
    const uint64_t ahead = body_len(call);
    int r = upload_room_first(tx, call->service, &call->key.user_id, upload->length,
                              ahead > 0 ? ahead : UPLOAD_ROOM_STEP, call->arena, &upload->reserved);

    if (r == 0) {
        r = upload_add(tx, &call->key, upload, call->arena);
    }
    if (r == 0) {
        r = usage_add(tx, &call->key.user_id, &(Usage){.reserved = (int64_t)upload->reserved});
    }
    return r < 0 ? err_trace(r) : r;
}

static SyncFailure of_creation(SyncCall *call, int r) {
    return r == UPLOAD_ROOM_E_QUOTA ? tus_of_writer(call, UPLOAD_WRITER_E_QUOTA)
           : r < 0                  ? sync_call_fault(call, r)
                                    : SYNC_FAILURE_NONE;
}

SyncFailure tus_create_upload(SyncCall *call, Upload *upload, bool take) {
    const int64_t hour_us = 3600LL * 1000000;
    int r;

    upload->id = uuid_new();
    upload->created_us = call->now_us;
    upload->expires_us =
        call->now_us + (int64_t)call->service->options.settings->upload_keep_h * hour_us;
    upload->lease_us = take ? call->now_us + UPLOAD_LEASE_US : 0;
    running_digest_init(&upload->progress.hash);
    stored_blob_new(&call->key, &upload->blob);
    r = db_write(call->service->options.db, create, &(Creation){call, upload}, NULL);
    return of_creation(call, r);
}

static int look_for_room(DbTx *tx, void *userdata) {
    SyncCall *call = userdata;
    uint64_t reserved;
    int r = upload_room_first(tx, call->service, &call->key.user_id, body_len(call), 0, call->arena,
                              &reserved);

    return r < 0 ? err_trace(r) : r;
}

SyncFailure tus_check_room(SyncCall *call) {
    return of_creation(call, db_read(call->service->options.db, NULL, look_for_room, call));
}
