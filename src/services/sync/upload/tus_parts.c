/* SPDX-License-Identifier: Apache-2.0 */

/* Concatenation: parts that came side by side are read back and written as one file. */

#include "base/error.h"
#include "services/sync/upload/tus.h"

#define COPY_LEN ((size_t)1 << 20)

typedef struct Parts {
    const Uuid *ids;
    size_t n;
    Upload *uploads; /* in the call's arena */
} Parts;

static int look(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Parts *parts = userdata;

    for (size_t i = 0; i < parts->n; i++) {
        Upload *upload = &parts->uploads[i];
        int r = upload_get(tx, &call->key, &parts->ids[i], call->arena, upload);
        if (r < 0) {
            return err_trace(r);
        }
        if (r > 0 || upload->kind != UPLOAD_PART || upload->progress.offset != upload->length) {
            call->detail = "Upload-Concat: all parts must be there, and whole.";
            *ret_failure = SYNC_FAILURE_INVALID_FIELD;
            return 0;
        }
    }
    *ret_failure = SYNC_FAILURE_NONE;
    return 0;
}

static SyncFailure find_parts(SyncCall *call, const Uuid *ids, size_t n, Parts *ret_parts) {
    *ret_parts = (Parts){ids, n, arena_alloc(call->arena, n * sizeof(Upload))};
    return sync_call_look(call, look, ret_parts);
}

static void wipe(Parts *parts) {
    for (size_t i = 0; i < parts->n; i++) {
        upload_done(&parts->uploads[i]);
    }
}

SyncFailure tus_parts_length(SyncCall *call, const Uuid *ids, size_t n, uint64_t *ret_length) {
    uint64_t max = call->service->options.settings->upload_max_mib << 20, length = 0;
    Parts parts;
    SyncFailure failure = find_parts(call, ids, n, &parts);

    for (size_t i = 0; i < n && failure == SYNC_FAILURE_NONE; i++) {
        length += parts.uploads[i].length; /* of at most 100 parts of less than 2^44 bytes */
        if (length > max) {
            call->detail = "The parts together are more than a file may have.";
            failure = SYNC_FAILURE_TOO_LARGE;
        }
    }
    wipe(&parts);
    if (failure == SYNC_FAILURE_NONE) {
        *ret_length = length;
    }
    return failure;
}

/* A crash may have been faster than the part's last step. */
static SyncFailure commit_part(SyncCall *call, const Upload *part) {
    UploadWriter *writer;
    Upload opened;
    int r = upload_writer_open(&(UploadWriterOptions){.service = call->service,
                                                      .key = &call->key,
                                                      .id = part->id,
                                                      .offset = part->length,
                                                      .arena = call->arena},
                               &opened, &writer);

    if (r == 0) {
        upload_done(&opened);
        r = upload_writer_commit(writer);
        (void)upload_writer_close(writer, false, NULL);
    }
    return tus_of_writer(call, r);
}

static SyncFailure copy(SyncCall *call, UploadWriter *writer, const Upload *part, char *buffer) {
    SyncFailure failure = commit_part(call, part);

    for (uint64_t at = 0; at < part->length && failure == SYNC_FAILURE_NONE;) {
        size_t n = (size_t)MIN(part->length - at, COPY_LEN);
        int r = sealed_blob_read(call->service->options.blobs, str_from(part->blob.name),
                                 part->blob.key, part->length, at, buffer, n);
        if (r != 0) {
            return sync_call_fault(call, r < 0 ? r : -EBADMSG);
        }
        failure = tus_of_writer(call, upload_writer_add(writer, (Str){buffer, n}, false));
        at += n;
    }
    return failure;
}

SyncFailure tus_join(SyncCall *call, UploadWriter *writer, const Uuid *ids, size_t n) {
    _cleanup_(freep) char *buffer = malloc(COPY_LEN);
    Parts parts;
    SyncFailure failure = find_parts(call, ids, n, &parts);

    if (!buffer) {
        abort();
    }
    for (size_t i = 0; i < n && failure == SYNC_FAILURE_NONE; i++) {
        failure = copy(call, writer, &parts.uploads[i], buffer);
    }
    explicit_bzero(buffer, COPY_LEN);
    wipe(&parts);
    return failure;
}

void tus_drop_parts(SyncCall *call, const Uuid *ids, size_t n) {
    Parts parts;

    if (find_parts(call, ids, n, &parts) == SYNC_FAILURE_NONE) {
        for (size_t i = 0; i < n; i++) {
            /* Best effort: they expire. */
            (void)upload_discard(call->service, &call->key, &parts.uploads[i]);
        }
    }
    wipe(&parts);
}
