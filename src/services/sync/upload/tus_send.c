/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/tus_send.h"

#include "base/error.h"
#include "base/http/stream.h"
#include "services/sync/upload/tus_headers.h"

static void release(TusSend *send) {
    send->checksum = checksum_free(send->checksum);
    upload_done(&send->upload);
}

void tus_send_refuse(TusSend *send, SyncFailure failure) {
    /* What came is kept, but for what a checksum was to vouch for. */
    (void)upload_writer_close(send->writer, !send->checksum, NULL);
    send->writer = NULL;
    release(send);
    tus_refuse(&send->call, failure);
}

void *tus_send_begin(HttpRequest *request, void *context, TusBegin *begin) {
    TusSend *send = arena_alloc(http_request_arena(request), sizeof(*send));
    SyncFailure failure = tus_admit(context, request, &send->call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = begin(send);
    }
    if (failure != SYNC_FAILURE_NONE) {
        tus_send_refuse(send, failure);
        return NULL;
    }
    return send;
}

SyncFailure tus_send_open(TusSend *send, uint64_t offset) {
    SyncCall *call = &send->call;
    int r = tus_checksum(call->request, &send->checksum, &send->expected, &call->detail);

    if (r == TUS_E_MALFORMED) {
        return SYNC_FAILURE_INVALID_FIELD;
    }
    r = upload_writer_open(&(UploadWriterOptions){.service = call->service,
                                                  .key = &call->key,
                                                  .id = send->upload.id,
                                                  .created = send->is_new ? &send->upload : NULL,
                                                  .offset = offset,
                                                  .not_in_part = send->checksum != NULL,
                                                  .arena = call->arena},
                           &send->upload, &send->writer);
    return tus_of_writer(call, r);
}

bool tus_send_piece(HttpRequest *request, void *state, Str bytes) {
    TusSend *send = state;
    int r;

    (void)request;
    if (!send->writer) {
        return true;
    }
    r = upload_writer_add(send->writer, bytes, true);
    if (r != 0) {
        tus_send_refuse(send, tus_of_writer(&send->call, r));
        return false;
    }
    if (send->checksum) {
        checksum_add(send->checksum, bytes);
    }
    return true;
}

/* All that came is kept: a photo now, or a part, or to be gone on with. */
static SyncFailure keep(TusSend *send, UploadEnd *ret_end, uint64_t *ret_offset) {
    SyncCall *call = &send->call;
    const Upload *upload = upload_writer_upload(send->writer);
    bool is_whole = upload->progress.offset == upload->length;
    SyncFailure failure;

    *ret_offset = upload->progress.offset;
    if (is_whole && upload->kind != UPLOAD_PART) {
        failure = tus_of_finish(
            call, upload_finish(send->writer, &call->caller.device_id, call->arena, ret_end));
    } else if (is_whole) {
        failure = tus_of_writer(call, upload_writer_commit(send->writer));
    } else {
        failure = tus_of_writer(call, upload_writer_close(send->writer, true, NULL));
        send->writer = NULL;
        return failure;
    }
    (void)upload_writer_close(send->writer, false, NULL);
    send->writer = NULL;
    return failure;
}

void tus_send_end(TusSend *send, bool is_cut) {
    TusAnswer answer = {.status = send->is_new ? 201 : 204,
                        .upload = &send->upload,
                        .is_new = send->is_new,
                        .offset = send->upload.progress.offset};
    UploadEnd end = {0};
    SyncFailure failure = SYNC_FAILURE_NONE;

    if (send->checksum && send->writer && !is_cut && !checksum_is(send->checksum, send->expected)) {
        send->call.detail = "What came is not what was sent: send it again.";
        tus_send_refuse(send, SYNC_FAILURE_CHECKSUM);
        return;
    }
    if (is_cut) {
        send->call.detail = "The request ended before its body.";
        tus_send_refuse(send, SYNC_FAILURE_MALFORMED_BODY);
        return;
    }
    if (send->writer) {
        failure = keep(send, &end, &answer.offset);
    } else if (send->upload.outcome != UPLOAD_UNFINISHED) {
        end = tus_end_of(&send->upload);
    }
    if (failure != SYNC_FAILURE_NONE) {
        tus_send_refuse(send, failure);
        return;
    }
    if (send->n_parts > 0) {
        tus_drop_parts(&send->call, send->parts, send->n_parts);
    }
    answer.end = end.status ? &end : NULL;
    tus_answer(&send->call, &answer);
    release(send);
}
