/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "adapters/blobs/s3/s3.h"
#include "base/http/client.h"
#include "base/uuid.h"

#define S3_PART_LEN    ((size_t)5 << 20) /* the least that S3 takes of all parts but the last */
#define S3_PARTS_MAX   10000
#define S3_KEYS_MAX    1000 /* of one answer */
#define S3_PREFIX_MAX  200
#define S3_MARKER      "imagesync-blobs"
#define S3_HEADERS_MAX 3

typedef struct BlobsS3 {
    Blobs base; /* first */
    HttpClient *http;
    char *bucket, *prefix; /* the prefix with a slash at its end, or "" */
    uint32_t timeout_ms;
    bool conditional; /* the store heeds If-None-Match when it writes */
} BlobsS3;

/* request.c: one call, signed, tried again. */
typedef struct S3Call {
    const char *method, *key;            /* NULL: the bucket itself */
    const char *query;                   /* by s3_query_add(), in the order of the names; or NULL */
    const char *headers[S3_HEADERS_MAX]; /* "Name: value"; NULL: no more */
    Str body;
    void *into; /* as of HttpClientCall */
    size_t answer_max;
    bool may_fail_late; /* its 200 may hold an error */
} S3Call;

typedef struct S3Answer {
    HttpClientAnswer http;
    const char *code; /* the store's word for what was wrong, in the arena; "" */
} S3Answer;

/*
 * 0 with an answer of 2xx, 404, 412, 416 or 501; or a fault: -ENOMEDIUM (no such bucket), -EACCES
 * (ret_answer->code says why), -ENOSPC, -ENOTCONN, -EIO.
 */
int s3_call(const BlobsS3 *self, const S3Call *call, Arena *arena, S3Answer *ret_answer);
/* The same for those of whom nothing but a 2xx makes sense; another answer is -EIO. */
int s3_do(const BlobsS3 *self, const S3Call *call, Arena *arena, S3Answer *ret_answer);

/* Adds "name=value", percent-encoded. */
void s3_query_add(Buf *query, const char *name, Str value);

/* PREFIX, folder ("blobs/", "stages/") and name, in the arena. */
const char *s3_key(const BlobsS3 *self, const char *folder, Str name, Arena *arena);

/* objects.c */

/* -ENOMEDIUM when the marker is not there. */
int s3_check(const BlobsS3 *self);
/* 0, or BLOBS_E_NONE, which says nothing of the store. */
int s3_head(const BlobsS3 *self, const char *key, uint64_t *ret_size);
/* Who wrote what is there: 0: `writer`; BLOBS_E_EXISTS: somebody else; BLOBS_E_NONE. */
int s3_find_writer(const BlobsS3 *self, const char *key, const char *writer);
/* 0, or BLOBS_E_EXISTS. */
int s3_put_new(const BlobsS3 *self, const char *key, Str bytes, const char *writer);
/* 0 also when there is none. */
int s3_delete(const BlobsS3 *self, const char *key);
/* The header that tells who writes an object, in the arena. */
const char *s3_writer_header(const char *writer, Arena *arena);

/* marker.c: as `id` and ret_id of blobs_s3_new(); finds out self->conditional. */
int s3_recognise(BlobsS3 *self, const char *id, char ret_id[BLOB_STORE_ID_LEN + 1],
                 const char **reterr);

/* list.c */
typedef struct S3Item {
    const char *key;    /* below what was asked for; in the arena */
    const char *upload; /* of a multipart upload */
    uint64_t size;
    int64_t changed_us;
} S3Item;

/* The keys that begin with `prefix` (PREFIX and more) and come after `after` and a slash ("": all),
 * at most `max` (1..S3_KEYS_MAX). */
int s3_list_page(const BlobsS3 *self, const char *prefix, const char *after, size_t max,
                 Arena *arena, S3Item **ret_items, size_t *ret_n, bool *ret_more);
int s3_list(Blobs *blobs, BlobArea area, Str after, size_t max, Arena *arena,
            BlobEntry **ret_entries, size_t *ret_n);

/* stage.c */
int s3_stage_open(Blobs *blobs, Str name, uint64_t offset, BlobStage **ret_stage);
int s3_stage_write(BlobStage *stage, Str bytes);
int s3_stage_sync(BlobStage *stage);
int s3_stage_commit(BlobStage *stage);
BlobStage *s3_stage_free(BlobStage *stage);
int s3_stage_remove(Blobs *blobs, Str name);
