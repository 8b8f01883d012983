/* SPDX-License-Identifier: Apache-2.0 */

/* New uploads, as far as the quota has room for them. */

#include "base/error.h"
#include "base/http/stream.h"
#include "services/sync/upload/tus.h"

typedef struct Creation {
    SyncCall *call;
    const Upload *upload;
} Creation;

enum {
    CREATION_E_QUOTA = 1,
};

/* 0, QUOTA or a fault. */
static int check_quota(DbTx *tx, SyncCall *call, uint64_t length) {
    uint64_t quota = call->service->options.settings->library_quota_mib << 20, used;
    int r;

    if (quota == 0) {
        return 0;
    }
    r = upload_bytes_used(tx, &call->caller.user_id, call->arena, &used);
    return r < 0 ? err_trace(r) : used > quota || length > quota - used ? CREATION_E_QUOTA : 0;
}

static int create(DbTx *tx, void *userdata) {
    const Creation *creation = userdata;
    SyncCall *call = creation->call;
    const Upload *upload = creation->upload;
    int r = check_quota(tx, call, upload->length == UPLOAD_LENGTH_UNKNOWN ? 0 : upload->length);

    if (r == 0) {
        r = upload_add(tx, &call->key, upload, call->arena);
    }
    return r < 0 ? err_trace(r) : r;
}

static SyncFailure of_creation(SyncCall *call, int r) {
    if (r == CREATION_E_QUOTA) {
        call->detail = "The library has no room for this; delete something, and empty the trash.";
        return SYNC_FAILURE_QUOTA;
    }
    return r < 0 ? sync_call_fault(call, r) : SYNC_FAILURE_NONE;
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
    uint64_t length = 0;

    (void)http_request_body_len(call->request, &length);
    return check_quota(tx, call, length);
}

SyncFailure tus_check_room(SyncCall *call) {
    return of_creation(call, db_read(call->service->options.db, NULL, look_for_room, call));
}
