/* SPDX-License-Identifier: Apache-2.0 */

/* POST /v1/photos: files of a form (curl -F file=@photo.jpg), each a photo. One that cannot be
 * taken does not keep the others out. */

#include "base/error.h"
#include "base/http/multipart_stream.h"
#include "services/sync/upload/tus.h"
#include "services/sync/upload/upload_name.h"
#include "services/sync/upload/uploads.h"

#define FILES_MAX 1000

typedef struct FormUpload {
    SyncCall call;
    MultipartStream *stream;
    json_t *photos; /* what became of each file, in their order */
    size_t n_added;
    Upload upload;        /* of the file under way */
    UploadWriter *writer; /* NULL: none is, or its bytes are dropped */
    bool in_file;
    const char *name;        /* of that file */
    SyncFailure refused;     /* why that file is dropped */
    SyncFailure refused_one; /* why any was; NONE */
    const char *refused_detail;
} FormUpload;

enum {
    FORM_UPLOAD_E_FAILED = 1, /* the whole request, with form->refused */
};

/* What concerns a file alone; after anything else the rest would fail as well. */
static bool is_of_file(SyncFailure failure) {
    return failure == SYNC_FAILURE_UNSUPPORTED_TYPE || failure == SYNC_FAILURE_EMPTY_FILE ||
           failure == SYNC_FAILURE_TOO_LARGE;
}

static void discard(FormUpload *form) {
    const Upload *upload = form->writer ? upload_writer_upload(form->writer) : NULL;

    if (upload) {
        /* Best effort: it expires. */
        (void)upload_discard(form->call.service, &form->call.key, upload);
    }
    (void)upload_writer_close(form->writer, false, NULL);
    form->writer = NULL;
}

/* 0 when the others may still be taken. */
static int refuse(FormUpload *form, SyncFailure failure) {
    discard(form);
    form->refused = failure;
    if (!is_of_file(failure)) {
        return FORM_UPLOAD_E_FAILED;
    }
    if (form->refused_one == SYNC_FAILURE_NONE) {
        form->refused_one = failure;
        form->refused_detail = form->call.detail;
    }
    return 0;
}

static int file_begin(void *userdata, const MultipartPart *part) {
    FormUpload *form = userdata;
    SyncCall *call = &form->call;
    SyncFailure failure;
    int r;

    form->in_file = part->is_file;
    form->refused = SYNC_FAILURE_NONE;
    if (!part->is_file) {
        return 0;
    }
    if (json_array_size(form->photos) == FILES_MAX) {
        call->detail = "At most 1000 files at once.";
        return refuse(form, SYNC_FAILURE_INVALID_FIELD);
    }
    form->name = upload_name_clean(part->filename, call->arena);
    form->upload = (Upload){
        .kind = UPLOAD_FILE, .length = UPLOAD_LENGTH_UNKNOWN, .about = {.name = form->name}};
    failure = tus_create_upload(call, &form->upload, true);
    if (failure == SYNC_FAILURE_NONE) {
        r = upload_writer_open(&(UploadWriterOptions){.service = call->service,
                                                      .key = &call->key,
                                                      .id = form->upload.id,
                                                      .created = &form->upload,
                                                      .arena = call->arena},
                               &form->upload, &form->writer);
        failure = tus_of_writer(call, r);
    }
    return failure == SYNC_FAILURE_NONE ? 0 : refuse(form, failure);
}

static int file_bytes(void *userdata, Str bytes) {
    FormUpload *form = userdata;
    uint64_t max = form->call.service->options.settings->upload_max_mib << 20;
    int r;

    if (!form->writer) {
        return 0;
    }
    if (bytes.len > max - upload_writer_upload(form->writer)->progress.offset) {
        form->call.detail = arena_printf(form->call.arena, "A file has at most %llu bytes here.",
                                         (unsigned long long)max);
        return refuse(form, SYNC_FAILURE_TOO_LARGE);
    }
    r = upload_writer_add(form->writer, bytes, false);
    return r == 0 ? 0 : refuse(form, tus_of_writer(&form->call, r));
}

static json_t *answer_of(const char *name, const UploadEnd *end, SyncFailure refused) {
    char id[UUID_TEXT_SIZE];

    if (refused != SYNC_FAILURE_NONE) {
        return json_pack("{s:s,s:s,s:s}", "name", name, "status", "refused", "code",
                         sync_failure_info(refused)->code);
    }
    uuid_text(&end->photo_id, id);
    return json_pack("{s:s,s:s,s:s}", "id", id, "status", end->status, "name", name);
}

static int file_end(void *userdata) {
    FormUpload *form = userdata;
    SyncCall *call = &form->call;
    UploadEnd end = {0};
    int r;

    if (!form->in_file) {
        return 0;
    }
    form->in_file = false;
    if (form->writer) {
        r = upload_finish(form->writer, &call->caller.device_id, call->arena, &end);
        if (r != 0) {
            r = refuse(form, tus_of_finish(call, r));
            if (r != 0) {
                return r;
            }
        } else {
            (void)upload_writer_close(form->writer, false, NULL);
            form->writer = NULL;
            form->n_added++;
        }
    }
    json_array_append_new(form->photos, answer_of(form->name, &end, form->refused));
    return 0;
}

static void release(FormUpload *form) {
    discard(form);
    form->stream = multipart_stream_free(form->stream);
    json_decref(form->photos);
    form->photos = NULL;
    upload_done(&form->upload);
}

static void fail(FormUpload *form, SyncFailure failure) {
    release(form);
    tus_refuse(&form->call, failure);
}

static void *form_begin(HttpRequest *request, void *context) {
    FormUpload *form = arena_alloc(http_request_arena(request), sizeof(*form));
    SyncFailure failure = sync_call_admit(context, request, &form->call);

    if (failure == SYNC_FAILURE_NONE) {
        form->photos = json_array();
        form->stream =
            multipart_stream_new(http_request_header(request, "Content-Type"),
                                 &(MultipartSink){file_begin, file_bytes, file_end, form});
        if (!form->stream) {
            form->call.detail = "Send multipart/form-data with files, as curl -F file=@... does.";
            failure = SYNC_FAILURE_CONTENT_TYPE;
        } else {
            failure = tus_check_room(&form->call);
        }
    }
    if (failure != SYNC_FAILURE_NONE) {
        fail(form, failure);
        return NULL;
    }
    return form;
}

static bool form_piece(HttpRequest *request, void *state, Str bytes) {
    FormUpload *form = state;
    int r = multipart_stream_add(form->stream, bytes);

    (void)request;
    if (r == MULTIPART_E_MALFORMED) {
        form->call.detail =
            arena_strdup(form->call.arena, str_from(multipart_stream_detail(form->stream)));
        fail(form, SYNC_FAILURE_MALFORMED_BODY);
        return false;
    }
    if (r != 0) {
        fail(form, form->refused);
        return false;
    }
    return true;
}

static void form_end(HttpRequest *request, void *state, HttpBodyEnd end) {
    FormUpload *form = state;
    SyncCall *call = &form->call;

    (void)request;
    if (end == HTTP_BODY_CUT || !multipart_stream_is_whole(form->stream)) {
        call->detail = multipart_stream_detail(form->stream);
        fail(form, SYNC_FAILURE_MALFORMED_BODY);
        return;
    }
    if (json_array_size(form->photos) == 0) {
        call->detail = "The form has no file: curl -F file=@photo.jpg.";
        fail(form, SYNC_FAILURE_INVALID_FIELD);
        return;
    }
    if (form->n_added == 0) {
        call->detail = form->refused_detail;
        call->problem = json_pack("{s:O}", "photos", form->photos);
        fail(form, form->refused_one);
        return;
    }
    call->status = 201;
    call->body = json_pack("{s:O}", "photos", form->photos);
    fail(form, SYNC_FAILURE_NONE);
}

const HttpBodyStream form_upload_body = {form_begin, form_piece, form_end};
