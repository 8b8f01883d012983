/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Blobs that are sealed before they reach a store (base/crypto/segments.h), each under a key of its
 * own, which the caller keeps wrapped. Offsets and lengths are those of the plain bytes.
 *
 * What was written but does not fill a segment yet is the tail: its owner keeps it, sealed, beside
 * the offset, and gives it back when the upload goes on. A full segment is held back too, because
 * the last one is sealed as such. So of `offset` bytes the tail is the last 1..SEGMENT_LEN, and
 * none of 0.
 */

#include "base/crypto/segments.h"
#include "base/executor.h"
#include "core/ports/blobs.h"

enum {
    SEALED_BLOB_E_DAMAGED =
        10, /* what the store gives is not what was written, or of another key */
};

/* The length of the tail at an offset. */
size_t sealed_blob_tail_len(uint64_t offset);

/*
 * Reads `len` (at least 1) bytes from `offset` on of a blob of `size` bytes, and of the store no
 * more than the segments that hold them. 0, BLOBS_E_NONE, BLOBS_E_SHORT (beyond `size`),
 * SEALED_BLOB_E_DAMAGED, or a fault of the store. Nothing that was not authenticated is given out:
 * on anything but 0 the bytes are undefined. Thread-safe.
 */
int sealed_blob_read(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t size,
                     uint64_t offset, void *ret_bytes, size_t len);

/* Opens all of it: 0 or as sealed_blob_read(). */
int sealed_blob_verify(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t size);

typedef struct SealedStage SealedStage;

/*
 * Goes on at `offset`, where `tail` is what it was when that offset was synced. As
 * blobs_stage_open(); -EINVAL: the tail is not of that offset's length. On threads of `executor`,
 * which must outlive it (NULL: the caller's alone), the store writes while more is sealed.
 */
int sealed_stage_open(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t offset,
                      Str tail, Executor *executor, SealedStage **ret_stage);
/* As blob_stage_write(), whose fault may show only in a later call, and at the latest when it is
 * synced or committed; -EFBIG: beyond SEGMENTS_PLAIN_MAX. */
int sealed_stage_write(SealedStage *stage, Str bytes);
/* All that was written is durable but for the tail, borrowed until the next call. */
int sealed_stage_sync(SealedStage *stage, Str *ret_tail);
/* As blob_stage_commit(). */
int sealed_stage_commit(SealedStage *stage);
uint64_t sealed_stage_offset(const SealedStage *stage);
SealedStage *sealed_stage_free(SealedStage *stage); /* wipes key and tail; accepts NULL */
DEFINE_CLEANUP(SealedStage *, sealed_stage_free)

/* The whole blob at once, of at most 64 MiB. As blobs_put(). */
int sealed_blob_put(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], Str bytes);
