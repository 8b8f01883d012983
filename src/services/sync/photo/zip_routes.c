/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/albums/{id}/zip and POST /v1/zip. */

#include "base/error.h"
#include "services/sync/change.h"
#include "services/sync/photo/zip.h"

typedef struct Act {
    Uuid album_id;
    const char *name;
    const json_t *picked;
    Uuid *ids;
    size_t n;
} Act;

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object album = {0};
    const char *name;
    int r = change_begin(tx, call, OBJECT_ALBUM, &act->album_id, CHANGE_ANY_VERSION, NULL, &album,
                         ret_failure);

    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    free(act->ids); /* of a try before */
    act->ids = NULL;
    name = json_string_value(json_object_get(album.state, "name"));
    act->name = arena_printf(call->arena, "%s.zip", name ? name : "album");
    r = zip_album_ids(tx, &library, &act->album_id, &act->ids, &act->n);
    if (r == ZIP_E_TOO_MANY) {
        call->detail = ZIP_TOO_MANY_DETAIL;
        *ret_failure = SYNC_FAILURE_TOO_LARGE;
        return 0;
    }
    return err_trace(r);
}

static SyncFailure album(SyncCall *call, Act *act) {
    SyncFailure failure = sync_call_id(call, "id", &act->album_id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, look, act) : failure;
}

static int look_picked(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Act *act = userdata;
    Library library = library_of_call(call);

    *ret_failure = SYNC_FAILURE_NONE;
    free(act->ids); /* of a try before */
    act->ids = NULL;
    return err_trace(zip_picked_ids(tx, &library, act->picked, &act->ids, &act->n));
}

static SyncFailure picked(SyncCall *call, Act *act) {
    static const JsonField none[] = {{0}};
    JsonMember photos = {"photos", NULL};
    SyncFailure failure = sync_call_read_members(call, none, act, &photos, 1);

    act->name = "photos.zip";
    act->picked = photos.value;
    if (failure == SYNC_FAILURE_NONE && !zip_picked_valid(photos.value)) {
        call->detail = "photos: give the ids of 1 to 1000 photos.";
        failure = SYNC_FAILURE_INVALID_FIELD;
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_look(call, look_picked, act);
    }
    json_decref(photos.value);
    return failure;
}

static void run(SyncService *service, HttpRequest *request,
                SyncFailure (*choose)(SyncCall *call, Act *act)) {
    _cleanup_(sync_call_done) SyncCall call;
    Act act = {0};
    SyncFailure failure = sync_call_admit(service, request, &call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = choose(&call, &act);
    }
    if (failure != SYNC_FAILURE_NONE) {
        free(act.ids);
        sync_call_respond(&call, failure);
        return;
    }
    zip_respond(request, service, &call.key, act.ids, act.n, act.name);
}

void zip_album_handle(HttpRequest *request, void *context) {
    run(context, request, album);
}

void zip_picked_handle(HttpRequest *request, void *context) {
    run(context, request, picked);
}
