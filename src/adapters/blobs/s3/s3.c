/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/s3_private.h"
#include "adapters/blobs/s3/xml.h"
#include "base/error.h"

#include <stdio.h>

static int put(Blobs *blobs, Str name, Str bytes) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char writer[UUID_TEXT_SIZE];
    Uuid id = uuid_new();
    int r = blob_name_is_good(name) ? s3_check(self) : -EINVAL;

    if (r < 0) {
        return err_trace(r);
    }
    uuid_text(&id, writer);
    r = s3_put_new(self, s3_key(self, "blobs/", name, arena), bytes, writer);
    return r < 0 ? err_trace(r) : r;
}

/* That there is no such object says something only of a store that is there. */
static int none(const BlobsS3 *self) {
    int r = s3_check(self);

    return r < 0 ? err_trace(r) : BLOBS_E_NONE;
}

static int size(Blobs *blobs, Str name, uint64_t *ret_size) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int r = blob_name_is_good(name) ? s3_head(self, s3_key(self, "blobs/", name, arena), ret_size)
                                    : -EINVAL;

    return r == BLOBS_E_NONE ? none(self) : err_trace(r);
}

static int read_range(Blobs *blobs, Str name, uint64_t offset, void *ret_bytes, size_t len) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    S3Answer answer;
    uint64_t end, there;
    int r = blob_name_is_good(name) && len > 0 ? 0 : -EINVAL;

    if (r < 0) {
        return err_trace(r);
    }
    if (__builtin_add_overflow(offset, (uint64_t)len, &end) || end > INT64_MAX) {
        r = size(blobs, name, &there);
        return r == 0 ? BLOBS_E_SHORT : r;
    }
    r = s3_call(self,
                &(S3Call){.method = "GET",
                          .key = s3_key(self, "blobs/", name, arena),
                          .headers = {arena_printf(arena, "Range: bytes=%llu-%llu",
                                                   (unsigned long long)offset,
                                                   (unsigned long long)end - 1)},
                          .into = ret_bytes,
                          .answer_max = len},
                arena, &answer);
    if (r < 0) {
        return err_trace(r);
    }
    switch (answer.http.status) {
    case 206:
        return answer.http.body.len == len ? 0 : BLOBS_E_SHORT;
    case 404:
        return none(self);
    case 416:
        return BLOBS_E_SHORT;
    default: /* 200 is of a store that knows no ranges */
        return err_trace(-EIO);
    }
}

static int remove_blob(Blobs *blobs, Str name) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int r = blob_name_is_good(name) ? s3_check(self) : -EINVAL;

    return err_trace(r < 0 ? r : s3_delete(self, s3_key(self, "blobs/", name, arena)));
}

static Blobs *s3_free(Blobs *blobs) {
    BlobsS3 *self = (BlobsS3 *)blobs;

    http_client_free(self->http);
    free(self->bucket);
    free(self->prefix);
    free(self);
    return NULL;
}

static bool is_of(const char *text, const char *plain) {
    return strspn(text, plain) == strlen(text);
}

static const char *check(const BlobsS3Options *options) {
#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789.-"
    const char *prefix = options->prefix;
    size_t bucket_len = strlen(options->bucket);
    const char *host = strstr(options->endpoint, "://");

    if (bucket_len < 3 || bucket_len > 63 || !is_of(options->bucket, LOWER)) {
        return "a bucket's name is 3 to 63 of a-z, 0-9, point and hyphen";
    }
    if (strlen(prefix) > S3_PREFIX_MAX || prefix[0] == '/' || strstr(prefix, "//") ||
        strstr(prefix, "..") || !is_of(prefix, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ_/")) {
        return "a prefix is at most 200 of letters, digits, point, hyphen and underscore, "
               "in parts divided by slashes";
    }
    if (options->region[0] == '\0' || !is_of(options->region, LOWER)) {
        return "give the region that the store has, or us-east-1";
    }
    if (options->access_key[0] == '\0' || options->secret_key[0] == '\0') {
        return "give an access key and its secret key";
    }
    if (!is_of(options->access_key, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ_+/=@:")) {
        return "an access key has no such characters"; /* it becomes part of a header */
    }
    return host && strpbrk(host + 3, "/?#") ? "an endpoint is http(s)://HOST:PORT" : NULL;
#undef LOWER
}

static BlobsS3 *s3_new(const BlobsS3Options *options, HttpClient *http, const BlobsImpl *impl) {
    size_t len = strlen(options->prefix);
    bool divided = len == 0 || options->prefix[len - 1] == '/';
    BlobsS3 *self = calloc(1, sizeof(*self));

    if (!self || !(self->bucket = strdup(options->bucket)) ||
        !(self->prefix = calloc(1, len + 2))) {
        abort();
    }
    snprintf(self->prefix, len + 2, "%s%s", options->prefix, divided ? "" : "/");
    self->base.impl = impl;
    self->http = http;
    self->timeout_ms = options->timeout_ms;
    return self;
}

int blobs_s3_new(const BlobsS3Options *options, const char *id, Blobs **ret_blobs,
                 char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr) {
    static const BlobsImpl impl = {.put = put,
                                   .size = size,
                                   .read = read_range,
                                   .remove = remove_blob,
                                   .list = s3_list,
                                   .stage_open = s3_stage_open,
                                   .stage_write = s3_stage_write,
                                   .stage_sync = s3_stage_sync,
                                   .stage_commit = s3_stage_commit,
                                   .stage_free = s3_stage_free,
                                   .stage_remove = s3_stage_remove,
                                   .free = s3_free};
    char found[BLOB_STORE_ID_LEN + 1], sigv4[128];
    const char *wrong = check(options);
    _cleanup_(blobs_freep) Blobs *blobs = NULL;
    HttpClient *http;
    int r;

    if (wrong) {
        *reterr = wrong;
        return -EINVAL;
    }
    snprintf(sigv4, sizeof(sigv4), "aws:amz:%s:s3", options->region);
    http = http_client_new(&(HttpClientOptions){.url = options->endpoint,
                                                .ca_file = options->ca_file,
                                                .timeout_ms = options->timeout_ms,
                                                .sigv4 = sigv4,
                                                .access_key = options->access_key,
                                                .secret_key = options->secret_key});
    if (!http) {
        *reterr = "an endpoint is http(s)://HOST:PORT";
        return -EINVAL;
    }
    s3_xml_init();
    blobs = &s3_new(options, http, &impl)->base;
    r = s3_recognise((BlobsS3 *)blobs, id, found, reterr);
    if (r < 0) {
        return err_trace(r);
    }
    memcpy(ret_id, found, sizeof(found));
    *ret_blobs = TAKE_PTR(blobs);
    return 0;
}
