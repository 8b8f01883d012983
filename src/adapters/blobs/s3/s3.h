/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Blobs as objects of one bucket, over the S3 API (path-style addresses, AWS Signature Version 4):
 *
 *   PREFIX imagesync-blobs            the marker: the store's id
 *   PREFIX blobs/NAME                 written at once, or by a multipart upload that is completed
 *   PREFIX stages/NAME/OFFSET         where a stage may go on: state.h
 *
 * What fails for now (5xx, 429, SlowDown, a lost connection) is tried again, a bounded number of
 * times and with a jittered pause, then it is -ENOTCONN. A call whose answer was lost is recognised
 * by a word of its own in the object's metadata, so that trying again never says that the blob was
 * there already. What the store refuses is -EACCES, its word for why in the log's debug level.
 *
 * The bucket is made by its operator, who sees that uploads which nobody completes go
 * (AbortIncompleteMultipartUpload, a week or more): a crash in the moment between the making of
 * an upload and its first state may leave one that no stage knows of. The key needs
 * s3:GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload and
 * ListBucketMultipartUploads.
 */

#include "core/ports/blobs.h"

/* Copied. */
typedef struct BlobsS3Options {
    const char *endpoint; /* http(s)://HOST[:PORT] */
    const char *region;   /* as the store has it, "us-east-1" where it has none */
    const char *bucket;   /* 3..63 of [a-z0-9.-] */
    const char *prefix;   /* "" or parts of [A-Za-z0-9._-] divided by slashes, at most 200 bytes */
    const char *access_key, *secret_key;
    const char *ca_file; /* PEM of the authorities of its certificate; "": the system's */
    uint32_t timeout_ms; /* for one try; a call takes at most about three times as long */
} BlobsS3Options;

/*
 * `id` and ret_id as of blobs_folder_new(): "" makes the marker below a prefix that is empty, and
 * takes the id of one that is there; any other has to be the marker's. 0; or, with a sentence in
 * *reterr (a literal), -EINVAL (an option), -EACCES, -ENOMEDIUM (not that store), -ENOTCONN; or
 * another fault, with or without one. Thread-safe from then on.
 */
int blobs_s3_new(const BlobsS3Options *options, const char *id, Blobs **ret_blobs,
                 char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr);
