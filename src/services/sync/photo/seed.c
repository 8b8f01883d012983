/* SPDX-License-Identifier: Apache-2.0 */

/* POST /v1/photos?name= with the file as the body: until uploads do it. */

#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "core/queue/outbox.h"
#include "services/sync/blob_store.h"
#include "services/sync/change.h"
#include "services/sync/photo_add.h"

typedef struct Seed {
    StoredBlob blob;
    PhotoDraft draft;
    bool known;
} Seed;

static int write_photo(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Seed *seed = userdata;
    Library library = library_of_call(call);
    _cleanup_(object_done) Object photo = {0};
    char id[UUID_TEXT_SIZE];
    int r = photo_add(tx, &library, &seed->draft, &photo);

    *ret_failure = SYNC_FAILURE_NONE;
    seed->known = r == PHOTO_E_KNOWN;
    if (r == 0) {
        r = blob_store_add(tx, &call->key, &seed->blob, call->now_us, call->arena);
    }
    if (r < 0) {
        return err_trace(r);
    }
    uuid_text(&photo.id, id);
    call->status = 201;
    call->body = json_pack("{s:[{s:s,s:s,s:s}]}", "photos", "id", id, "status",
                           seed->known ? "known" : "added", "name", seed->draft.name);
    return 0;
}

static SyncFailure post(SyncCall *call) {
    Str body = http_request_body(call->request);
    const char *name = http_request_query(call->request, "name");
    const char *type = http_request_header(call->request, "Content-Type");
    uint8_t sha256[DIGEST_LEN];
    Seed seed = {.draft = {.id = uuid_new(),
                           .size = body.len,
                           .name = name ? name : "photo.jpg",
                           .media_type = type ? type : "image/jpeg"}};
    SyncFailure failure;
    size_t n;
    int r;

    stored_blob_new(&call->key, &seed.blob);
    seed.blob.size = body.len;
    seed.draft.blob_id = seed.blob.id;
    digest_sha256(body, sha256);
    photo_content(&call->key, sha256, seed.draft.content);
    r = sealed_blob_put(call->service->options.blobs, str_from(seed.blob.name), seed.blob.key,
                        body);
    failure = r == 0 ? sync_call_write(call, write_photo, &seed) : sync_call_fault(call, r);
    if (failure == SYNC_FAILURE_NONE && !seed.known) {
        (void)queue_outbox_move(call->service->options.db, call->service->options.queue,
                                clock_unix_us(), &n);
    }
    stored_blob_done(&seed.blob);
    return failure;
}

void photo_seed_handle(HttpRequest *request, void *context) {
    sync_call_run(context, request, post);
}
