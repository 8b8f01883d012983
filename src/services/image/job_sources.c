/* SPDX-License-Identifier: Apache-2.0 */

/* Where a request's pictures come from: parts of its body, base64, URLs. */

#include "base/error.h"
#include "base/fd.h"
#include "services/image/fields.h"
#include "services/image/job.h"

#define URL_LEN_MAX 4096

bool image_job_has(const JobSource *source) {
    return source->url || source->bytes.fd >= 0;
}

static Failure too_large(const ImageJob *job, const char **reterr_detail) {
    *reterr_detail = arena_printf(job->arena, "A file may have up to %llu MiB.",
                                  (unsigned long long)(job->service->file_max >> 20));
    return FAILURE_FILE_TOO_LARGE;
}

/* A failure of the picture itself, or the same of the background. */
static Failure unreadable(const ImageJob *job, const JobSource *source) {
    return source == &job->background ? FAILURE_READ_BACKGROUND : FAILURE_READ_IMAGE;
}

static int copy_to_memory(JobSource *source, Str bytes) {
    _cleanup_(fd_closep) int fd = -1;
    int r = fd_memory_new("upload", &fd);

    r = r < 0 ? r : fd_write_all(fd, bytes.ptr, bytes.len);
    r = r < 0 ? r : fd_memory_seal(fd);
    if (r < 0) {
        return err_trace(r);
    }
    source->owned_fd = TAKE_FD(fd);
    source->bytes = (RenderSource){source->owned_fd, 0, bytes.len};
    return 0;
}

static Failure set_bytes(ImageJob *job, JobSource *source, Str bytes, const char **reterr_detail) {
    Str body = http_request_body(job->request);

    if (bytes.len == 0) {
        *reterr_detail = "The file is empty.";
        return unreadable(job, source);
    }
    if (bytes.len > job->service->file_max) {
        return too_large(job, reterr_detail);
    }
    if (body.ptr && bytes.ptr >= body.ptr && bytes.ptr + bytes.len <= body.ptr + body.len) {
        source->bytes = (RenderSource){http_request_body_fd(job->request),
                                       (uint64_t)(bytes.ptr - body.ptr), bytes.len};
        return FAILURE_NONE;
    }
    return copy_to_memory(source, bytes) < 0 ? FAILURE_INTERNAL : FAILURE_NONE;
}

Failure image_job_set_file(ImageJob *job, JobSource *source, const Form *form, const char *name,
                           const char **reterr_detail) {
    Str bytes;

    if (!fields_find(form, name, &bytes)) {
        return FAILURE_MISSING_SOURCE;
    }
    if (!form->multipart) {
        *reterr_detail = arena_printf(job->arena, "%s must be sent as multipart/form-data.", name);
        return source == &job->background ? FAILURE_READ_BACKGROUND : FAILURE_MISSING_SOURCE;
    }
    return set_bytes(job, source, bytes, reterr_detail);
}

Failure image_job_set_base64(ImageJob *job, JobSource *source, Str text,
                             const char **reterr_detail) {
    Str bytes;

    if (text.len / 4 > job->service->file_max) {
        return too_large(job, reterr_detail);
    }
    if (base64_decode(text, job->arena, &bytes) < 0) {
        *reterr_detail = "It is not base64. (In an urlencoded body, + must be sent as %2B.)";
        return unreadable(job, source);
    }
    return set_bytes(job, source, bytes, reterr_detail);
}

Failure image_job_set_url(ImageJob *job, JobSource *source, Str url, const char **reterr_detail) {
    url = str_trim(url);
    if (url.len == 0 || url.len > URL_LEN_MAX || memchr(url.ptr, '\0', url.len)) {
        *reterr_detail = "A URL has 1 to 4096 characters.";
        return source == &job->background ? FAILURE_INVALID_BG_IMAGE_URL
                                          : FAILURE_INVALID_IMAGE_URL;
    }
    source->url = arena_strdup(job->arena, url);
    return FAILURE_NONE;
}
