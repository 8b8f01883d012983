/* SPDX-License-Identifier: Apache-2.0 */

/* GET, PATCH and DELETE /v1/photos/{id}. */

#include "base/error.h"
#include "base/http/json_body.h"
#include "services/sync/change.h"
#include "services/sync/photo/patch.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/photos.h"

typedef struct Act {
    Uuid id;
    int64_t version;
    const json_t *patch;
    PurgedBlobs purged;
} Act;

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    _cleanup_(object_done) Object photo = {0};
    int r = change_begin(tx, call, OBJECT_PHOTO, &act->id, CHANGE_ANY_VERSION, NULL, &photo,
                         ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        change_answer(call, OBJECT_PHOTO, &photo, 200);
    }
    return err_trace(r);
}

static SyncFailure get(SyncCall *call) {
    Act act;
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, look, &act) : failure;
}

void photo_get_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, get);
}

/* Whether the edit that the patch picks is one of this photo. */
static int check_edit(DbTx *tx, SyncCall *call, const Act *act, SyncFailure *ret_failure) {
    Library library = library_of_call(call);
    _cleanup_(object_done) Object edit = {0};
    Uuid id, of;
    int r;

    *ret_failure = SYNC_FAILURE_NONE;
    if (!state_uuid(act->patch, "edit", &id)) {
        return 0;
    }
    r = object_get(tx, &library, OBJECT_EDIT, &id, &edit);
    if (r < 0) {
        return err_trace(r);
    }
    if (r != 0 || !state_uuid(edit.state, "photo", &of) || !uuid_equal(&of, &act->id)) {
        call->detail = "edit: there is no such edit of this photo.";
        *ret_failure = SYNC_FAILURE_INVALID_FIELD;
    }
    return 0;
}

static int write_state(DbTx *tx, const Library *library, const json_t *state, Object *photo) {
    Object changed;
    int r = photo_half_follow(tx, library, state, photo);

    if (r == 0) {
        r = object_put(tx, library, OBJECT_PHOTO, &photo->id, photo->version, state, &changed);
    }
    if (r < 0) {
        return err_trace(r);
    }
    object_done(photo);
    *photo = changed;
    return 0;
}

static int change(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object photo = {0};
    _cleanup_(json_decrefp) json_t *state = NULL;
    int r = change_begin(tx, call, OBJECT_PHOTO, &act->id, act->version, act->patch, &photo,
                         ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = check_edit(tx, call, act, ret_failure);
    }
    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    state = json_deep_copy(photo.state);
    patch_apply(act->patch, call->now_us, state);
    if (!json_equal(state, photo.state)) {
        r = write_state(tx, &library, state, &photo);
    }
    if (r == 0) {
        change_answer(call, OBJECT_PHOTO, &photo, 200);
    }
    return err_trace(r);
}

static SyncFailure patch(SyncCall *call) {
    _cleanup_(json_decrefp) json_t *body = NULL;
    Act act = {0};
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_version(call, &act.version);
    }
    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    if (json_body_get(call->request, &body, &call->detail) != 0) {
        return SYNC_FAILURE_MALFORMED_BODY;
    }
    if (patch_check(body, call->arena, &call->detail) != 0) {
        return SYNC_FAILURE_INVALID_FIELD;
    }
    act.patch = body;
    return sync_call_write(call, change, &act);
}

void photo_patch_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, patch);
}

static int trash(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    const Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object photo = {0};
    int r = change_begin(tx, call, OBJECT_PHOTO, &act->id, act->version, NULL, &photo, ret_failure);

    if (r == 0 && *ret_failure == SYNC_FAILURE_NONE) {
        r = photo_set_trashed(tx, &library, true, &photo);
        if (r == 0) {
            change_answer(call, OBJECT_PHOTO, &photo, 200);
        }
    }
    return err_trace(r);
}

static int purge(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Act *act = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object photo = {0};
    Object removed;
    int r;

    act->purged.n = 0; /* of a try before */
    r = change_begin(tx, call, OBJECT_PHOTO, &act->id, act->version, NULL, &photo, ret_failure);
    if (r < 0 || *ret_failure != SYNC_FAILURE_NONE) {
        return err_trace(r);
    }
    r = photo_purge(tx, &library, &photo, &act->purged, &removed);
    if (r == PHOTOS_E_NOT_TRASHED) {
        call->detail = "Only what is in the trash can be removed for good: delete it first.";
        *ret_failure = SYNC_FAILURE_CONFLICT;
        return 0;
    }
    if (r == 0) {
        change_answer(call, OBJECT_PHOTO, &removed, 200);
    }
    return err_trace(r);
}

static SyncFailure delete (SyncCall *call) {
    const char *for_good = http_request_query(call->request, "purge");
    Act act = {.version = change_if_match(call)};
    SyncFailure failure = sync_call_id(call, "id", &act.id);

    if (failure == SYNC_FAILURE_NONE && for_good && strcmp(for_good, "1") != 0) {
        call->detail = "purge: give 1, or leave it out.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_write(call, for_good ? purge : trash, &act);
    }
    if (failure == SYNC_FAILURE_NONE && for_good) {
        purged_blobs_remove(call->service->options.blobs, &act.purged);
    }
    return failure;
}

void photo_delete_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, delete);
}
