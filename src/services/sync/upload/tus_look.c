/* SPDX-License-Identifier: Apache-2.0 */

/* OPTIONS /v1/uploads; HEAD and DELETE /v1/uploads/{id}. */

#include "base/error.h"
#include "services/sync/upload/tus.h"
#include "services/sync/upload/tus_headers.h"
#include "services/sync/upload/uploads.h"

#include <inttypes.h>

void uploads_options_handle(HttpRequest *request, void *context) {
    SyncService *service = context;
    const char *max = arena_printf(http_request_arena(request), "%" PRIu64,
                                   service->options.settings->upload_max_mib << 20);
    const HttpHeader headers[] = {{"Tus-Resumable", TUS_VERSION},
                                  {"Tus-Version", TUS_VERSION},
                                  {"Tus-Extension", TUS_EXTENSIONS},
                                  {"Tus-Checksum-Algorithm", CHECKSUM_NAMES},
                                  {"Tus-Max-Size", max},
                                  {0}};

    http_respond(request, &(HttpResponse){.status = 204, .headers = headers});
}

/* All bytes came, and a crash was faster than what becomes of them. */
static SyncFailure finish(SyncCall *call, Upload *upload, UploadEnd *ret_end) {
    UploadWriter *writer;
    int r = upload_writer_open(&(UploadWriterOptions){.service = call->service,
                                                      .key = &call->key,
                                                      .id = upload->id,
                                                      .offset = upload->length,
                                                      .arena = call->arena},
                               upload, &writer);

    if (r == UPLOAD_WRITER_E_SETTLED) {
        *ret_end = tus_end_of(upload);
        return SYNC_FAILURE_NONE;
    }
    if (r != 0) {
        return tus_of_writer(call, r);
    }
    r = upload_finish(writer, &call->caller.device_id, call->arena, ret_end);
    (void)upload_writer_close(writer, false, NULL);
    return tus_of_finish(call, r);
}

static SyncFailure look(SyncCall *call, Upload *upload, UploadEnd *ret_end) {
    SyncFailure failure = sync_call_id(call, "id", &upload->id);

    if (failure != SYNC_FAILURE_NONE) {
        return failure;
    }
    /* So that nothing comes after what is told. */
    upload_writers_evict(call->service, &call->caller.user_id, &upload->id);
    failure = tus_find(call, upload);
    if (failure == SYNC_FAILURE_NONE && upload->outcome != UPLOAD_UNFINISHED) {
        *ret_end = tus_end_of(upload);
    } else if (failure == SYNC_FAILURE_NONE && upload->kind != UPLOAD_PART &&
               upload->progress.offset == upload->length) {
        Upload whole = *upload;
        failure = finish(call, &whole, ret_end);
    }
    return failure;
}

void upload_head_handle(HttpRequest *request, void *context) {
    Upload upload = {0};
    UploadEnd end = {0};
    SyncCall call;
    SyncFailure failure = tus_admit(context, request, &call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = look(&call, &upload, &end);
    }
    if (failure == SYNC_FAILURE_NONE) {
        tus_answer(&call, &(TusAnswer){.status = 200,
                                       .upload = &upload,
                                       .offset = upload.progress.offset,
                                       .end = end.status ? &end : NULL,
                                       .in_full = true});
    } else {
        tus_refuse(&call, failure);
    }
    upload_done(&upload);
}

void upload_delete_handle(HttpRequest *request, void *context) {
    static const HttpHeader headers[] = {{"Tus-Resumable", TUS_VERSION}, {0}};
    Upload upload = {0};
    SyncCall call;
    SyncFailure failure = tus_admit(context, request, &call);

    if (failure == SYNC_FAILURE_NONE) {
        failure = sync_call_id(&call, "id", &upload.id);
    }
    if (failure == SYNC_FAILURE_NONE) {
        upload_writers_evict(call.service, &call.caller.user_id, &upload.id);
        failure = tus_find(&call, &upload);
    }
    if (failure == SYNC_FAILURE_NONE) {
        failure = tus_of_writer(&call, upload_discard(call.service, &call.key, &upload));
    }
    call.headers = headers;
    tus_refuse(&call, failure); /* NONE: 204 */
    upload_done(&upload);
}
