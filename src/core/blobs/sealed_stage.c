/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "core/blobs/sealed_blob.h"

#define BATCH 16 /* segments that are written to the store at once */

struct SealedStage {
    BlobStage *stage;
    uint64_t offset; /* of all that was written */
    uint8_t key[AEAD_KEY_LEN];
    size_t tail_len, sealed_len;
    uint8_t tail[SEGMENT_LEN];
    uint8_t sealed[BATCH * SEGMENT_SEALED_LEN];
};

int sealed_stage_open(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t offset,
                      Str tail, SealedStage **ret_stage) {
    uint64_t whole = (offset - tail.len) / SEGMENT_LEN;
    BlobStage *inner;
    SealedStage *stage;
    int r;

    if (offset > SEGMENTS_PLAIN_MAX || tail.len != sealed_blob_tail_len(offset)) {
        return err_trace(-EINVAL);
    }
    r = blobs_stage_open(blobs, name, whole * SEGMENT_SEALED_LEN, &inner);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    stage = malloc(sizeof(*stage));
    if (!stage) {
        abort();
    }
    stage->stage = inner;
    stage->offset = offset;
    memcpy(stage->key, key, AEAD_KEY_LEN);
    stage->sealed_len = 0;
    stage->tail_len = tail.len;
    if (tail.len > 0) {
        memcpy(stage->tail, tail.ptr, tail.len);
    }
    *ret_stage = stage;
    return 0;
}

static int flush(SealedStage *stage) {
    Str bytes = {(const char *)stage->sealed, stage->sealed_len};
    int r = bytes.len > 0 ? blob_stage_write(stage->stage, bytes) : 0;

    stage->sealed_len = 0;
    return err_trace(r);
}

/* Seals the tail, which is then empty. */
static int seal_tail(SealedStage *stage, bool last) {
    uint64_t number = (stage->offset - stage->tail_len) / SEGMENT_LEN;
    Str plain = {(const char *)stage->tail, stage->tail_len};
    int r = segment_seal(stage->key, number, last, plain, stage->sealed + stage->sealed_len);

    if (r < 0) {
        return err_trace(r);
    }
    stage->sealed_len += stage->tail_len + AEAD_OVERHEAD;
    stage->tail_len = 0;
    return stage->sealed_len + SEGMENT_SEALED_LEN > sizeof(stage->sealed) ? flush(stage) : 0;
}

int sealed_stage_write(SealedStage *stage, Str bytes) {
    if (bytes.len > SEGMENTS_PLAIN_MAX - stage->offset) {
        return err_trace(-EFBIG);
    }
    while (bytes.len > 0) {
        int r = stage->tail_len == SEGMENT_LEN ? seal_tail(stage, false) : 0;
        size_t n = MIN(bytes.len, SEGMENT_LEN - stage->tail_len);

        if (r < 0) {
            return err_trace(r);
        }
        memcpy(stage->tail + stage->tail_len, bytes.ptr, n);
        stage->tail_len += n;
        stage->offset += n;
        bytes = (Str){bytes.ptr + n, bytes.len - n};
    }
    return 0;
}

int sealed_stage_sync(SealedStage *stage, Str *ret_tail) {
    int r = flush(stage);

    if (r == 0) {
        r = blob_stage_sync(stage->stage);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_tail = (Str){(const char *)stage->tail, stage->tail_len};
    return 0;
}

int sealed_stage_commit(SealedStage *stage) {
    int r = seal_tail(stage, true);

    if (r == 0) {
        r = flush(stage);
    }
    if (r == 0) {
        r = blob_stage_commit(stage->stage);
    }
    return r < 0 ? err_trace(r) : r;
}

uint64_t sealed_stage_offset(const SealedStage *stage) {
    return stage->offset;
}

SealedStage *sealed_stage_free(SealedStage *stage) {
    if (stage) {
        blob_stage_free(stage->stage);
        explicit_bzero(stage->key, sizeof(stage->key));
        explicit_bzero(stage->tail, sizeof(stage->tail));
        free(stage);
    }
    return NULL;
}
