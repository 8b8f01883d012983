/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/s3_private.h"
#include "base/error.h"

#define WRITER "x-amz-meta-imagesync-writer"

static bool is_good(const S3Answer *answer) {
    return answer->http.status >= 200 && answer->http.status <= 299;
}

static int head(const BlobsS3 *self, const char *key, Arena *arena, S3Answer *ret_answer) {
    int r = s3_call(self, &(S3Call){.method = "HEAD", .key = key}, arena, ret_answer);

    if (r < 0) {
        return err_trace(r);
    }
    return is_good(ret_answer) ? 0 : ret_answer->http.status == 404 ? BLOBS_E_NONE : -EIO;
}

int s3_head(const BlobsS3 *self, const char *key, uint64_t *ret_size) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *length;
    S3Answer answer;
    int r = head(self, key, arena, &answer);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    length = http_client_header(&answer.http, "Content-Length");
    return length && str_to_u64(str_from(length), ret_size) == 0 ? 0 : err_trace(-EIO);
}

int s3_check(const BlobsS3 *self) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    uint64_t size;
    int r = s3_head(self, s3_key(self, S3_MARKER, (Str){0}, arena), &size);

    return r == BLOBS_E_NONE ? err_trace(-ENOMEDIUM) : err_trace(r);
}

const char *s3_writer_header(const char *writer, Arena *arena) {
    return arena_printf(arena, WRITER ": %s", writer);
}

int s3_find_writer(const BlobsS3 *self, const char *key, const char *writer) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *there;
    S3Answer answer;
    int r = head(self, key, arena, &answer);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    there = http_client_header(&answer.http, WRITER);
    return there && strcmp(there, writer) == 0 ? 0 : BLOBS_E_EXISTS;
}

int s3_put_new(const BlobsS3 *self, const char *key, Str bytes, const char *writer) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    S3Call call = {
        .method = "PUT",
        .key = key,
        .headers = {s3_writer_header(writer, arena), self->conditional ? "If-None-Match: *" : NULL},
        .body = bytes};
    S3Answer answer;
    uint64_t size;
    int r = self->conditional ? BLOBS_E_NONE : s3_head(self, key, &size);

    if (r != BLOBS_E_NONE) {
        return r < 0 ? err_trace(r) : BLOBS_E_EXISTS;
    }
    r = s3_call(self, &call, arena, &answer);
    if (r < 0) {
        return err_trace(r);
    }
    if (answer.http.status == 412) {
        r = s3_find_writer(self, key, writer); /* perhaps a try of ours, whose answer was lost */
        return r == BLOBS_E_NONE ? BLOBS_E_EXISTS : r < 0 ? err_trace(r) : r;
    }
    return is_good(&answer) ? 0 : err_trace(-EIO);
}

int s3_delete(const BlobsS3 *self, const char *key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    S3Answer answer;
    int r = s3_call(self, &(S3Call){.method = "DELETE", .key = key}, arena, &answer);

    if (r == 0 && !is_good(&answer) && answer.http.status != 404) {
        r = -EIO;
    }
    return err_trace(r);
}
