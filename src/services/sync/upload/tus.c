/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/tus.h"

#include "base/error.h"
#include "services/sync/upload/tus_headers.h"

#include <inttypes.h>
#include <time.h>

static const HttpHeader tus_header = {"Tus-Resumable", TUS_VERSION};

SyncFailure tus_admit(SyncService *service, HttpRequest *request, SyncCall *ret_call) {
    static const HttpHeader spoken[] = {
        {"Tus-Resumable", TUS_VERSION}, {"Tus-Version", TUS_VERSION}, {0}};
    const char *version = http_request_header(request, "Tus-Resumable");
    SyncFailure failure = sync_call_admit(service, request, ret_call);

    ret_call->headers = spoken;
    if (failure == SYNC_FAILURE_NONE && (!version || strcmp(version, TUS_VERSION) != 0)) {
        ret_call->detail = "Send Tus-Resumable: " TUS_VERSION ".";
        return SYNC_FAILURE_TUS_VERSION;
    }
    return failure;
}

void tus_refuse(SyncCall *call, SyncFailure failure) {
    sync_call_respond(call, failure);
    sync_call_done(call);
}

/* RFC 9110, section 5.6.7. */
static const char *http_date(int64_t at_us, Arena *arena) {
    time_t at = (time_t)(at_us / 1000000);
    char text[64];
    struct tm parts;

    gmtime_r(&at, &parts);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return arena_strdup(arena, str_from(text));
}

static size_t add_all(const SyncCall *call, const TusAnswer *answer, HttpHeader *headers) {
    const Upload *upload = answer->upload;
    size_t n = 0;

    if (upload->length != UPLOAD_LENGTH_UNKNOWN) {
        headers[n++] =
            (HttpHeader){"Upload-Length", arena_printf(call->arena, "%" PRIu64, upload->length)};
    }
    if (upload->about.metadata) {
        headers[n++] = (HttpHeader){"Upload-Metadata", upload->about.metadata};
    }
    if (upload->about.concat) {
        headers[n++] = (HttpHeader){"Upload-Concat", upload->about.concat};
    }
    return n;
}

void tus_answer(SyncCall *call, const TusAnswer *answer) {
    HttpHeader headers[12] = {tus_header, {"Cache-Control", "no-store"}};
    char id[UUID_TEXT_SIZE];
    size_t n = 2;

    headers[n++] =
        (HttpHeader){"Upload-Offset", arena_printf(call->arena, "%" PRIu64, answer->offset)};
    headers[n++] =
        (HttpHeader){"Upload-Expires", http_date(answer->upload->expires_us, call->arena)};
    if (answer->is_new) {
        uuid_text(&answer->upload->id, id);
        headers[n++] = (HttpHeader){"Location", arena_printf(call->arena, UPLOADS_PATH "/%s", id)};
    }
    if (answer->in_full) {
        n += add_all(call, answer, headers + n);
    }
    if (answer->end) {
        uuid_text(&answer->end->photo_id, id);
        headers[n++] = (HttpHeader){"Photo-Id", arena_strdup(call->arena, str_from(id))};
        headers[n++] = (HttpHeader){"Photo-Status", answer->end->status};
    }
    http_respond(call->request, &(HttpResponse){.status = answer->status, .headers = headers});
    sync_call_done(call);
}

SyncFailure tus_of_writer(SyncCall *call, int r) {
    if (r < 0) {
        return sync_call_fault(call, r);
    }
    switch (r) {
    case 0:
        return SYNC_FAILURE_NONE;
    case UPLOAD_WRITER_E_NONE:
        return SYNC_FAILURE_NOT_FOUND;
    case UPLOAD_WRITER_E_OFFSET:
        call->detail = "Ask with HEAD where the upload goes on.";
        return SYNC_FAILURE_WRONG_OFFSET;
    case UPLOAD_WRITER_E_STAGE:
        call->detail = "Begin the upload anew.";
        return SYNC_FAILURE_UPLOAD_GONE;
    case UPLOAD_WRITER_E_LONG:
        call->detail = "This is more than the upload's length.";
        return SYNC_FAILURE_TOO_LARGE;
    case UPLOAD_WRITER_E_QUOTA:
        call->detail = "The library has no room for this; delete something, and empty the trash.";
        return SYNC_FAILURE_QUOTA;
    case UPLOAD_WRITER_E_FULL:
        call->retry_after_s = 5;
        call->detail = "Too many uploads at once; please try again in a moment.";
        return SYNC_FAILURE_UNAVAILABLE;
    default: /* BUSY, TAKEN */
        call->retry_after_s = 2;
        call->detail = "Ask with HEAD where the upload goes on, and try again.";
        return SYNC_FAILURE_UPLOAD_BUSY;
    }
}

SyncFailure tus_of_finish(SyncCall *call, int r) {
    if (r == UPLOAD_FINISH_E_TYPE) {
        call->detail = "A library takes photos (JPEG, PNG, WebP, HEIC, AVIF, GIF, TIFF, BMP, RAW) "
                       "and films (MP4, MOV), whatever they are called.";
        return SYNC_FAILURE_UNSUPPORTED_TYPE;
    }
    if (r == UPLOAD_FINISH_E_EMPTY) {
        return SYNC_FAILURE_EMPTY_FILE;
    }
    return tus_of_writer(call, r > 0 ? UPLOAD_WRITER_E_TAKEN : r);
}

static int find(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure) {
    Upload *upload = userdata;
    const Uuid id = upload->id;
    int r = upload_get(tx, &call->key, &id, call->arena, upload);

    if (r == UPLOAD_E_NONE || (r == 0 && upload->expires_us <= call->now_us)) {
        *ret_failure = SYNC_FAILURE_NOT_FOUND;
        return 0;
    }
    *ret_failure = SYNC_FAILURE_NONE;
    return err_trace(r);
}

SyncFailure tus_find(SyncCall *call, Upload *ret_upload) {
    SyncFailure failure = sync_call_id(call, "id", &ret_upload->id);

    return failure == SYNC_FAILURE_NONE ? sync_call_look(call, find, ret_upload) : failure;
}

UploadEnd tus_end_of(const Upload *upload) {
    return (UploadEnd){upload->outcome, upload->photo_id, upload_outcome_text(upload->outcome)};
}
