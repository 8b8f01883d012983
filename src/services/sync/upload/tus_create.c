/* SPDX-License-Identifier: Apache-2.0 */

/* POST /v1/uploads: a new upload, with its first bytes when they come along. */

#include "base/error.h"
#include "services/sync/upload/tus_headers.h"
#include "services/sync/upload/tus_send.h"
#include "services/sync/upload/uploads.h"

static SyncFailure read_length(SyncCall *call, uint64_t *ret_length) {
    uint64_t max = call->service->options.settings->upload_max_mib << 20;
    int r = tus_number(call->request, "Upload-Length", ret_length, &call->detail);

    if (r == TUS_E_ABSENT) {
        call->detail = "Send Upload-Length: how many bytes the file has.";
    }
    if (r != 0) {
        return SYNC_FAILURE_INVALID_FIELD;
    }
    if (*ret_length > max) {
        call->detail = arena_printf(call->arena, "A file has at most %llu bytes here.",
                                    (unsigned long long)max);
        return SYNC_FAILURE_TOO_LARGE;
    }
    return *ret_length == 0 ? SYNC_FAILURE_EMPTY_FILE : SYNC_FAILURE_NONE;
}

static SyncFailure read_headers(TusSend *send, TusConcat *ret_concat) {
    SyncCall *call = &send->call;
    Upload *upload = &send->upload;

    if (http_request_header(call->request, "Upload-Defer-Length")) {
        call->detail = "The length has to be known from the beginning.";
        return SYNC_FAILURE_INVALID_FIELD;
    }
    if (tus_metadata(call->request, &upload->about, &call->detail) != 0 ||
        tus_concat(call->request, UPLOADS_PATH, ret_concat, &call->detail) != 0) {
        return SYNC_FAILURE_INVALID_FIELD;
    }
    upload->kind = ret_concat->kind;
    upload->about.concat = ret_concat->header;
    return upload->kind == UPLOAD_WHOLE
               ? tus_parts_length(call, ret_concat->parts, ret_concat->n_parts, &upload->length)
               : read_length(call, &upload->length);
}

/* A body that says that it is the first bytes. */
static bool has_bytes(TusSend *send) {
    uint64_t len;

    return send->upload.kind != UPLOAD_WHOLE && tus_is_octets(send->call.request) &&
           (!http_request_body_len(send->call.request, &len) || len > 0);
}

/* Puts the parts together and ends the upload: it is answered. */
static SyncFailure join(TusSend *send, const TusConcat *concat) {
    SyncFailure failure = tus_send_open(send, 0);

    if (failure == SYNC_FAILURE_NONE) {
        failure = tus_join(&send->call, send->writer, concat->parts, concat->n_parts);
    }
    return failure;
}

static SyncFailure begin(TusSend *send) {
    SyncCall *call = &send->call;
    uint64_t len;
    TusConcat concat = {0};
    SyncFailure failure = read_headers(send, &concat);
    bool writes = send->upload.kind == UPLOAD_WHOLE || has_bytes(send);

    if (failure == SYNC_FAILURE_NONE && has_bytes(send) &&
        http_request_body_len(call->request, &len) && len > send->upload.length) {
        failure = tus_of_writer(call, UPLOAD_WRITER_E_LONG);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = tus_create_upload(call, &send->upload, writes);
    }
    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    send->is_new = true;
    if (send->upload.kind == UPLOAD_WHOLE) {
        failure = join(send, &concat);
        if (failure == SYNC_FAILURE_NONE) {
            send->parts = concat.parts;
            send->n_parts = concat.n_parts;
        }
        return failure;
    }
    return writes ? tus_send_open(send, 0) : SYNC_FAILURE_NONE;
}

static void *create_begin(HttpRequest *request, void *context) {
    return tus_send_begin(request, context, begin);
}

/* A body that says to be something else is dropped; an upload made of parts takes none. */
static bool create_piece(HttpRequest *request, void *state, Str bytes) {
    const TusSend *send = state;

    return send->n_parts > 0 ? true : tus_send_piece(request, state, bytes);
}

static void create_end(HttpRequest *request, void *state, HttpBodyEnd end) {
    TusSend *send = state;

    (void)request;
    tus_send_end(send, end == HTTP_BODY_CUT);
}

const HttpBodyStream tus_create_body = {create_begin, create_piece, create_end};
