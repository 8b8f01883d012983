/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/photos/{id}/original, /mezzanine and /thumbnail. */

#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/photo/download.h"

/* The file of a photo is always the same; who has lost the right to see it has seen it. */
#define KEEP "private, max-age=86400"

typedef struct Act {
    Uuid id;
    PhotoFile file;
    StoredBlob blob;
    Download download;
} Act;

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Act *act = userdata;
    _cleanup_(object_done) Object photo = {0};
    const json_t *file;
    Uuid blob_id;
    int r = change_begin(tx, call, OBJECT_PHOTO, &act->id, CHANGE_ANY_VERSION, NULL, &photo,
                         ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    file = photo_file(photo.state, act->file);
    if (!file || !state_uuid(file, "blob", &blob_id)) {
        call->detail = "There is no such picture of it, or not yet: see its status.";
        *ret_failure = SYNC_FAILURE_NOT_FOUND;
        return 0;
    }
    r = blob_store_get(tx, &call->key, &blob_id, call->arena, &act->blob);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    act->download = (Download){
        .media_type =
            arena_strdup(call->arena, str_from(json_string_value(json_object_get(file, "type")))),
        .name = arena_strdup(call->arena,
                             str_from(photo_file_name(photo.state, act->file, call->arena))),
        .cache_control = KEEP};
    return 0;
}

static void get(SyncService *service, HttpRequest *request, PhotoFile file) {
    _cleanup_(sync_call_done) SyncCall call;
    Act act = {.file = file};
    SyncFailure failure = sync_call_admit(service, request, &call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_id(&call, "id", &act.id);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_look(&call, look, &act);
    }
    if (failure != SYNC_FAILURE_NONE) {
        sync_call_respond(&call, failure);
        return;
    }
    download_respond(request, service->options.blobs, service->options.upload_executor, &act.blob,
                     &act.download);
}

void photo_original_handle(HttpRequest *request, void *context) {
    get(context, request, PHOTO_FILE_ORIGINAL);
}

void photo_mezzanine_handle(HttpRequest *request, void *context) {
    get(context, request, PHOTO_FILE_MEZZANINE);
}

void photo_thumbnail_handle(HttpRequest *request, void *context) {
    get(context, request, PHOTO_FILE_THUMBNAIL);
}
