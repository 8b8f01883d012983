/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Multipart uploads. The conditions of these: */

#include "adapters/blobs/s3/s3_private.h"

enum {
    S3_E_NO_UPLOAD = 20, /* the store knows no such upload: it was completed, or aborted */
};

/* A new upload of `key`, and the end of all others of it. The id is in the arena. */
int s3_upload_begin(const BlobsS3 *self, const char *key, const char *writer, Arena *arena,
                    const char **ret_upload);
/* Part number 1..S3_PARTS_MAX; its ETag in the arena. S3_E_NO_UPLOAD. */
int s3_upload_part(const BlobsS3 *self, const char *key, const char *upload, size_t number,
                   Str bytes, Arena *arena, const char **ret_etag);
/* The parts become the object. BLOBS_E_EXISTS: there is one; S3_E_NO_UPLOAD. Either may be because
 * of an earlier try, which s3_find_writer() tells. */
int s3_upload_complete(const BlobsS3 *self, const char *key, const char *upload,
                       const char *const *etags, size_t n);
/* All uploads of `key` but `except` (NULL: none). */
int s3_uploads_abort(const BlobsS3 *self, const char *key, const char *except);
