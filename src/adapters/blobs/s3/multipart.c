/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/multipart.h"

#include "adapters/blobs/s3/xml.h"
#include "base/error.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define ID_MAX     1024
#define ETAG_MAX   200

/* What goes into XML, a state's line and a query as it is. */
static bool is_word(const char *text, size_t max) {
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("<>&", text[i])) {
            return false;
        }
    }
    return len > 0 && len <= max;
}

static int abort_upload(const BlobsS3 *self, const char *key, const char *upload) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf query = BUF_INIT;
    S3Answer answer;
    int r;

    s3_query_add(&query, "uploadId", str_from(upload));
    r = s3_call(self, &(S3Call){.method = "DELETE", .key = key, .query = buf_cstr(&query)}, arena,
                &answer);
    if (r == 0 && answer.http.status != 404 && answer.http.status > 299) {
        r = -EIO;
    }
    return err_trace(r);
}

int s3_uploads_abort(const BlobsS3 *self, const char *key, const char *except) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf query = BUF_INIT;
    S3XmlRow *rows = NULL;
    size_t n = 0;
    bool more; /* other keys, that begin with this one, come after it */
    S3Answer answer;
    int r;

    s3_query_add(&query, "prefix", str_from(key));
    s3_query_add(&query, "uploads", (Str){0});
    r = s3_do(self, &(S3Call){.method = "GET", .query = buf_cstr(&query), .answer_max = ANSWER_MAX},
              arena, &answer);
    if (r == 0) {
        r = s3_xml_rows(answer.http.body, "ListMultipartUploadsResult", "Upload", arena, &rows, &n,
                        &more);
    }
    for (size_t i = 0; i < n && r == 0; i++) {
        if (strcmp(rows[i].key, key) == 0 && rows[i].upload[0] != '\0' &&
            (!except || strcmp(rows[i].upload, except) != 0)) {
            r = abort_upload(self, key, rows[i].upload);
        }
    }
    return err_trace(r == -EBADMSG ? -EIO : r);
}

int s3_upload_begin(const BlobsS3 *self, const char *key, const char *writer, Arena *arena,
                    const char **ret_upload) {
    const S3Call call = {.method = "POST",
                         .key = key,
                         .query = "uploads=",
                         .headers = {s3_writer_header(writer, arena)},
                         .answer_max = ANSWER_MAX};
    const char *upload;
    S3Answer answer;
    int r = s3_do(self, &call, arena, &answer);

    if (r == 0) {
        r = s3_xml_text(answer.http.body, "InitiateMultipartUploadResult", "UploadId", arena,
                        &upload);
    }
    if (r < 0 || !is_word(upload, ID_MAX)) {
        return err_trace(r < 0 && r != -EBADMSG ? r : -EIO);
    }
    r = s3_uploads_abort(self, key, upload);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_upload = upload;
    return 0;
}

int s3_upload_part(const BlobsS3 *self, const char *key, const char *upload, size_t number,
                   Str bytes, Arena *arena, const char **ret_etag) {
    _cleanup_(arena_freep) Arena *scratch = arena_new();
    _cleanup_(buf_done) Buf query = BUF_INIT;
    const char *etag;
    S3Answer answer;
    int r;

    s3_query_add(&query, "partNumber", str_from(arena_printf(scratch, "%zu", number)));
    s3_query_add(&query, "uploadId", str_from(upload));
    r = s3_call(self,
                &(S3Call){.method = "PUT", .key = key, .query = buf_cstr(&query), .body = bytes},
                scratch, &answer);
    if (r < 0) {
        return err_trace(r);
    }
    if (answer.http.status == 404) {
        return S3_E_NO_UPLOAD;
    }
    etag = http_client_header(&answer.http, "ETag");
    if (answer.http.status > 299 || !etag || !is_word(etag, ETAG_MAX)) {
        return err_trace(-EIO);
    }
    *ret_etag = arena_strdup(arena, str_from(etag));
    return 0;
}

static void write_parts(Buf *body, const char *const *etags, size_t n) {
    buf_addf(body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < n; i++) {
        buf_addf(body, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", i + 1, etags[i]);
    }
    buf_addf(body, "</CompleteMultipartUpload>");
}

int s3_upload_complete(const BlobsS3 *self, const char *key, const char *upload,
                       const char *const *etags, size_t n) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(buf_done) Buf query = BUF_INIT, body = BUF_INIT;
    S3Call call = {.method = "POST",
                   .key = key,
                   .headers = {self->conditional ? "If-None-Match: *" : NULL},
                   .answer_max = ANSWER_MAX,
                   .may_fail_late = true};
    S3Answer answer;
    uint64_t size;
    int r = self->conditional ? BLOBS_E_NONE : s3_head(self, key, &size);

    if (r != BLOBS_E_NONE) {
        return r < 0 ? err_trace(r) : BLOBS_E_EXISTS;
    }
    s3_query_add(&query, "uploadId", str_from(upload));
    write_parts(&body, etags, n);
    call.query = buf_cstr(&query);
    call.body = buf_str(&body);
    r = s3_call(self, &call, arena, &answer);
    if (r < 0) {
        return err_trace(r);
    }
    if (answer.http.status == 404 || strcmp(answer.code, "NoSuchUpload") == 0) {
        return S3_E_NO_UPLOAD;
    }
    if (answer.http.status == 412 || strcmp(answer.code, "PreconditionFailed") == 0) {
        return BLOBS_E_EXISTS;
    }
    return answer.http.status <= 299 && answer.code[0] == '\0' ? 0 : err_trace(-EIO);
}
