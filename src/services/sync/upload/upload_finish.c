/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_finish.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "core/model/photo_type.h"
#include "core/queue/outbox.h"
#include "services/sync/photo/photo_pairs.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/photos.h"
#include "services/sync/photo_add.h"

const char *upload_outcome_text(UploadOutcome outcome) {
    static const char *const texts[] = {[UPLOAD_UNFINISHED] = "unfinished",
                                        [UPLOAD_ADDED] = "added",
                                        [UPLOAD_KNOWN] = "known",
                                        [UPLOAD_RESTORED] = "restored",
                                        [UPLOAD_SKIPPED] = "skipped"};

    return (size_t)outcome < ARRAY_LEN(texts) ? texts[outcome] : "unfinished";
}

typedef struct Finish {
    const Upload *upload;
    Library library;
    PhotoDraft draft;
    UploadEnd end;
} Finish;

/* Whether the photo has its other half by the word of a device that is this upload's too. */
static int is_joined(DbTx *tx, const Finish *finish, const Object *photo, bool *ret_joined) {
    Uuid half;
    int r = UPLOAD_E_NONE;

    if (state_uuid(photo->state, "pair", &half)) {
        r = upload_is_half(tx, finish->library.key, finish->upload, &half, finish->library.arena);
    }
    *ret_joined = r == 0;
    return r < 0 ? err_trace(r) : 0;
}

/* What else either was taken to belong to, by its name or its camera's word, is by itself again. */
static int join(DbTx *tx, const Library *library, Object *photo, const Object *other) {
    _cleanup_(object_done) Object changed = {0};
    int r = photo_pair_part(tx, library, photo);

    if (r == 0) {
        r = photo_pair_part(tx, library, other);
    }
    if (r == 0) {
        r = photo_pair_join(tx, library, &photo->id, photo->state, other);
    }
    if (r == 0) {
        r = object_put(tx, library, OBJECT_PHOTO, &photo->id, photo->version, photo->state,
                       &changed);
    }
    return err_trace(r);
}

/* A Live Photo's picture and film, or RAW and JPEG, of which a device says that they are. */
static int join_halves(DbTx *tx, const Finish *finish, Object *photo) {
    const Library *library = &finish->library;
    _cleanup_(object_done) Object other = {0};
    bool joined = false, taken = false;
    Uuid id, half;
    int r = upload_other_half(tx, library->key, finish->upload, library->arena, &id);

    if (r != 0 || uuid_equal(&id, &photo->id) ||
        (state_uuid(photo->state, "pair", &half) && uuid_equal(&half, &id))) {
        return r < 0 ? err_trace(r) : 0;
    }
    r = object_get(tx, library, OBJECT_PHOTO, &id, &other);
    if (r == 0) {
        r = is_joined(tx, finish, photo, &joined);
    }
    if (r == 0) {
        r = is_joined(tx, finish, &other, &taken);
    }
    if (r != 0 || joined || taken) {
        return r < 0 ? err_trace(r) : 0;
    }
    return err_trace(join(tx, library, photo, &other));
}

/* A photo that is there, or was. */
static int meet_known(DbTx *tx, Finish *finish, Object *photo) {
    int r = 0;

    finish->end.photo_id = photo->id;
    finish->end.outcome = UPLOAD_KNOWN;
    if (json_object_get(photo->state, "trashed")) {
        if (finish->upload->about.skip_deleted) {
            finish->end.outcome = UPLOAD_SKIPPED;
            return 0;
        }
        finish->end.outcome = UPLOAD_RESTORED;
        r = photo_set_trashed(tx, &finish->library, false, photo);
    }
    return r < 0 ? err_trace(r) : err_trace(join_halves(tx, finish, photo));
}

static int add_photo(DbTx *tx, Finish *finish) {
    const Library *library = &finish->library;
    StoredBlob blob = finish->upload->blob;
    _cleanup_(object_done) Object photo = {0};
    int r;

    blob.size = finish->upload->length;
    r = blob_store_add(tx, library->key, &blob, library->now_us, library->arena);
    stored_blob_done(&blob);
    if (r == 0) {
        r = photo_add(tx, library, &finish->draft, &photo);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    finish->end.outcome = UPLOAD_ADDED;
    finish->end.photo_id = finish->draft.id;
    return err_trace(join_halves(tx, finish, &photo));
}

static int settle(DbTx *tx, void *userdata) {
    Finish *finish = userdata;
    const Library *library = &finish->library;
    _cleanup_(object_done) Object known = {0};
    int r = photo_content_find(tx, library, finish->draft.content, &known);

    if (r == 0) {
        r = meet_known(tx, finish, &known);
    } else if (r == PHOTO_E_REMOVED && finish->upload->about.skip_deleted) {
        finish->end = (UploadEnd){.outcome = UPLOAD_SKIPPED, .photo_id = known.id};
        r = 0;
    } else if (r > 0) {
        r = add_photo(tx, finish);
    }
    if (r == 0) {
        r = upload_settle(tx, library->key, finish->upload, finish->end.outcome,
                          &finish->end.photo_id);
    }
    return r < 0 ? err_trace(r) : r;
}

/* The jobs that were put beside the photo; what stays is moved later. */
static void move_jobs(SyncService *service) {
    size_t n;
    int r = queue_outbox_move(service->options.db, service->options.queue, clock_unix_us(), &n);

    if (r < 0) {
        log_warn("jobs of new photos wait", LOG_STR("error", strerrordesc_np(-r)));
    }
}

int upload_finish(UploadWriter *writer, const Uuid *device_id, Arena *arena, UploadEnd *ret_end) {
    const Upload *upload = upload_writer_upload(writer);
    const UserKey *key = upload_writer_key(writer);
    SyncService *service = upload_writer_service(writer);
    Str head = {(const char *)upload->progress.head, upload->progress.head_len};
    Finish finish = {
        .upload = upload,
        .library = {key, *device_id, clock_unix_us(), arena},
        .draft = {.id = uuid_new(), .blob_id = upload->blob.id, .name = upload->about.name},
    };
    PhotoType type = photo_type_sniff(head);
    uint8_t sha256[DIGEST_LEN];
    int r;

    finish.draft.media_type = photo_type_info(type)->media_type;
    if (upload->progress.offset == 0 || type == PHOTO_TYPE_UNKNOWN) {
        r = upload_discard(service, key, upload);
        return r < 0                          ? err_trace(r)
               : upload->progress.offset == 0 ? UPLOAD_FINISH_E_EMPTY
                                              : UPLOAD_FINISH_E_TYPE;
    }
    r = upload_writer_commit(writer);
    if (r != 0) {
        return r < 0 ? err_trace(r) : UPLOAD_FINISH_E_TAKEN;
    }
    running_digest_get(&upload->progress.hash, sha256);
    photo_content(key, sha256, finish.draft.content);
    finish.draft.size = upload->length;
    r = db_write(service->options.db, settle, &finish, NULL);
    if (r != 0) {
        return r < 0 ? err_trace(r) : UPLOAD_FINISH_E_TAKEN;
    }
    if (finish.end.outcome == UPLOAD_ADDED) {
        move_jobs(service);
    } else {
        /* Best effort: what stays is an orphan, and collected. */
        (void)blobs_remove(service->options.blobs, str_from(upload->blob.name));
    }
    *ret_end = finish.end;
    ret_end->status = upload_outcome_text(finish.end.outcome);
    return 0;
}

typedef struct Discard {
    const UserKey *key;
    const Upload *upload;
} Discard;

static int discard(DbTx *tx, void *userdata) {
    const Discard *work = userdata;

    return upload_remove(tx, &work->key->user_id, &work->upload->id);
}

int upload_discard(SyncService *service, const UserKey *key, const Upload *upload) {
    Str name = str_from(upload->blob.name);
    int r = db_write(service->options.db, discard, &(Discard){key, upload}, NULL);

    if (r == 0 && upload->outcome == UPLOAD_UNFINISHED) {
        /* Best effort, as above. */
        (void)blobs_stage_remove(service->options.blobs, name);
        if (upload->kind == UPLOAD_PART && upload->progress.offset == upload->length) {
            (void)blobs_remove(service->options.blobs, name);
        }
    }
    return err_trace(r);
}
