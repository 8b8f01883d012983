/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/tus_patch.h"

#include "services/sync/upload/tus_headers.h"
#include "services/sync/upload/tus_send.h"
#include "services/sync/upload/uploads.h"

static SyncFailure check_headers(SyncCall *call, uint64_t *ret_offset) {
    int r = tus_number(call->request, "Upload-Offset", ret_offset, &call->detail);

    if (!tus_is_octets(call->request)) {
        call->detail = "Send Content-Type: application/offset+octet-stream.";
        return SYNC_FAILURE_CONTENT_TYPE;
    }
    if (r == TUS_E_ABSENT) {
        call->detail = "Send Upload-Offset: where these bytes begin.";
    }
    return r == 0 ? SYNC_FAILURE_NONE : SYNC_FAILURE_INVALID_FIELD;
}

/* What is known before the body is read; false when the length was not sent. */
static bool is_too_long(TusSend *send, uint64_t offset) {
    uint64_t len;

    return http_request_body_len(send->call.request, &len) &&
           len > send->upload.length - MIN(offset, send->upload.length);
}

/* The request whose answer was lost: its bytes are dropped and it is answered as then. */
static bool is_last_again(TusSend *send, uint64_t offset) {
    uint64_t len = 0;

    return http_request_body_len(send->call.request, &len) && offset <= send->upload.length &&
           len == send->upload.length - offset;
}

static SyncFailure begin(TusSend *send) {
    SyncCall *call = &send->call;
    uint64_t offset;
    SyncFailure failure = tus_find(call, &send->upload);

    if (failure == SYNC_FAILURE_NONE) {
        failure = check_headers(call, &offset);
    }
    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    if (send->upload.kind == UPLOAD_WHOLE) {
        call->detail = "An upload made of parts takes no bytes.";
        return SYNC_FAILURE_FORBIDDEN;
    }
    if (send->upload.outcome != UPLOAD_UNFINISHED) {
        return is_last_again(send, offset) ? SYNC_FAILURE_NONE
                                           : tus_of_writer(call, UPLOAD_WRITER_E_OFFSET);
    }
    if (is_too_long(send, offset)) {
        return tus_of_writer(call, UPLOAD_WRITER_E_LONG);
    }
    return tus_send_open(send, offset);
}

static void *patch_begin(HttpRequest *request, void *context) {
    return tus_send_begin(request, context, begin);
}

static void patch_end(HttpRequest *request, void *state, HttpBodyEnd end) {
    (void)request;
    tus_send_end(state, end == HTTP_BODY_CUT);
}

const HttpBodyStream tus_patch_body = {patch_begin, tus_send_piece, patch_end};

/* For clients whose network lets no other methods through. */
static void *override_begin(HttpRequest *request, void *context) {
    const char *method = http_request_header(request, "X-HTTP-Method-Override");
    SyncFailure failure;
    SyncCall call;

    if (method && strcmp(method, "PATCH") == 0) {
        return patch_begin(request, context);
    }
    if (method && strcmp(method, "DELETE") == 0) {
        upload_delete_handle(request, context);
        return NULL;
    }
    if (method && strcmp(method, "HEAD") == 0) {
        upload_head_handle(request, context);
        return NULL;
    }
    failure = tus_admit(context, request, &call);
    if (failure == SYNC_FAILURE_NONE) {
        call.detail = "POST here needs X-HTTP-Method-Override: PATCH, HEAD or DELETE.";
        failure = SYNC_FAILURE_INVALID_FIELD;
    }
    tus_refuse(&call, failure);
    return NULL;
}

const HttpBodyStream tus_override_body = {override_begin, tus_send_piece, patch_end};
