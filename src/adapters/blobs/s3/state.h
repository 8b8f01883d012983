/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a stage may go on. S3 has nothing that grows, so a stage is a multipart upload of the blob
 * itself, whose parts of S3_PART_LEN are kept until it is completed, and objects
 *
 *   stages/NAME/OFFSET    the offset as 16 hexadecimal digits: one line of JSON, then the bytes
 *                         that do not fill a part yet
 *
 * of which the last two are there: the caller may not have noted the last offset yet. The line has
 * the upload, the ETags of its parts and the word that the blob's metadata will have. By the ETags,
 * not by what the store lists, parts are completed: a part that was written twice is listed twice
 * by some stores.
 */

#include "adapters/blobs/s3/s3_private.h"

#define S3_STATE_DIGITS 16

typedef struct S3State {
    char writer[UUID_TEXT_SIZE];
    const char *upload; /* "": there is none yet, and no part */
    const char **etags; /* of the parts 1..n_parts */
    size_t n_parts;
    Str rest;
} S3State;

/* Divides "NAME/OFFSET", which the name points into; false when it is not that. */
bool s3_state_key_parse(const char *key, Str *ret_name, uint64_t *ret_offset);

int s3_state_put(const BlobsS3 *self, Str name, uint64_t offset, const S3State *state);
/* All in the arena. BLOBS_E_NONE. */
int s3_state_get(const BlobsS3 *self, Str name, uint64_t offset, Arena *arena, S3State *ret_state);
int s3_state_delete(const BlobsS3 *self, Str name, uint64_t offset);
/* The offsets that there are states of, ascending. */
int s3_state_list(const BlobsS3 *self, Str name, Arena *arena, uint64_t **ret_offsets,
                  size_t *ret_n);
