/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_finish.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "core/model/photo_type.h"
#include "core/queue/outbox.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/photos.h"
#include "services/sync/photo_add.h"

#define PAIR_MEMBER "pair"

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

/* A photo that is there, or was. */
static int meet_known(DbTx *tx, Finish *finish, Object *photo) {
    finish->end.photo_id = photo->id;
    finish->end.outcome = UPLOAD_KNOWN;
    if (!json_object_get(photo->state, "trashed")) {
        return 0;
    }
    if (finish->upload->about.skip_deleted) {
        finish->end.outcome = UPLOAD_SKIPPED;
        return 0;
    }
    finish->end.outcome = UPLOAD_RESTORED;
    return err_trace(photo_set_trashed(tx, &finish->library, false, photo));
}

static int put_half(DbTx *tx, const Library *library, Object *photo, const Uuid *other) {
    Object changed = {0};
    char text[UUID_TEXT_SIZE];
    int r;

    uuid_text(other, text);
    json_object_set_new(photo->state, PAIR_MEMBER, json_string(text));
    r = object_put(tx, library, OBJECT_PHOTO, &photo->id, photo->version, photo->state, &changed);
    object_done(&changed);
    return err_trace(r);
}

/* A Live Photo's picture and film, or RAW and JPEG: each knows the other. One in the trash stays
 * alone: a pair is thrown away, fetched back and removed as one. */
static int join_halves(DbTx *tx, Finish *finish, Object *photo) {
    _cleanup_(object_done) Object other = {0};
    Uuid id;
    int r = upload_other_half(tx, finish->library.key, finish->upload, finish->library.arena, &id);

    if (r == 0 && uuid_equal(&id, &photo->id)) {
        return 0;
    }
    if (r == 0) {
        r = object_get(tx, &finish->library, OBJECT_PHOTO, &id, &other);
    }
    if (r != 0 || json_object_get(other.state, PAIR_MEMBER) || photo_trashed_us(other.state) != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    r = put_half(tx, &finish->library, &other, &photo->id);
    return r < 0 ? err_trace(r) : err_trace(put_half(tx, &finish->library, photo, &id));
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
