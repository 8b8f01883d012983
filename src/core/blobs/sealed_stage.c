/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"
#include "base/error.h"
#include "core/blobs/sealed_blob.h"

/*
 * What goes to the store at once: whole blocks at their places, which a file can take without
 * copying them. A photo's are written as they are sealed, from little memory, as many come at once;
 * of what is longer than LONG_FROM more is written by another thread meanwhile.
 */
#define BATCH      ((size_t)256 << 10)
#define BATCH_LONG ((size_t)1 << 20)
#define LONG_FROM  ((uint64_t)16 << 20)
#define BLOCK      ((size_t)4096)

/* Of a batch, and of the segment that fills it. */
typedef struct Space {
    uint8_t *bytes;
    size_t batch;
} Space;

struct SealedStage {
    BlobStage *stage;
    uint64_t offset; /* of all that was written */
    uint8_t key[AEAD_KEY_LEN];
    size_t tail_len;
    uint8_t tail[SEGMENT_LEN];
    Space sealed;
    size_t sealed_len;
    uint64_t sealed_at; /* where in the store they will begin */

    /* Written while more is sealed. */
    Aside *writing;
    Space leaving;
    size_t leaving_len;
    int result; /* of all so far */
};

static void space_make(Space *space, size_t batch) {
    size_t len = (batch + SEGMENT_SEALED_LEN + BLOCK - 1) / BLOCK * BLOCK;

    if (space->batch < batch) {
        free(space->bytes);
        *space = (Space){aligned_alloc(BLOCK, len), batch};
        if (!space->bytes) {
            abort();
        }
    }
}

int sealed_stage_open(Blobs *blobs, Str name, const uint8_t key[AEAD_KEY_LEN], uint64_t offset,
                      Str tail, Executor *executor, SealedStage **ret_stage) {
    uint64_t at = (offset - tail.len) / SEGMENT_LEN * SEGMENT_SEALED_LEN;
    BlobStage *inner;
    SealedStage *stage;
    int r;

    if (offset > SEGMENTS_PLAIN_MAX || tail.len != sealed_blob_tail_len(offset)) {
        return err_trace(-EINVAL);
    }
    r = blobs_stage_open(blobs, name, at, &inner);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    stage = calloc(1, sizeof(*stage));
    if (!stage) {
        abort();
    }
    stage->stage = inner;
    stage->offset = offset;
    memcpy(stage->key, key, AEAD_KEY_LEN);
    stage->tail_len = tail.len;
    if (tail.len > 0) {
        memcpy(stage->tail, tail.ptr, tail.len);
    }
    space_make(&stage->sealed, BATCH);
    stage->sealed_at = at;
    stage->writing = aside_new(executor);
    *ret_stage = stage;
    return 0;
}

static void write_leaving(void *userdata) {
    SealedStage *stage = userdata;

    stage->result = blob_stage_write(stage->stage,
                                     (Str){(const char *)stage->leaving.bytes, stage->leaving_len});
}

static int write_now(SealedStage *stage, size_t n) {
    uint8_t *sealed = stage->sealed.bytes;
    int r = blob_stage_write(stage->stage, (Str){(const char *)sealed, n});

    stage->sealed_len -= n;
    stage->sealed_at += n;
    memmove(sealed, sealed + n, stage->sealed_len);
    return err_trace(r);
}

/* The first `n` bytes of what is sealed go to the store; a fault may show only with the next. */
static int send_off(SealedStage *stage, size_t n) {
    Space sealed = stage->sealed;

    if (stage->sealed_at + n <= LONG_FROM) {
        return write_now(stage, n);
    }
    aside_join(stage->writing);
    if (stage->result < 0) {
        return err_trace(stage->result);
    }
    stage->sealed = stage->leaving;
    space_make(&stage->sealed, BATCH_LONG);
    stage->leaving = sealed;
    stage->leaving_len = n;
    stage->sealed_len -= n;
    stage->sealed_at += n;
    memcpy(stage->sealed.bytes, sealed.bytes + n, stage->sealed_len);
    aside_start(stage->writing, write_leaving, stage);
    return 0;
}

/* All that is sealed is written. */
static int flush(SealedStage *stage) {
    int r = stage->sealed_len > 0 ? send_off(stage, stage->sealed_len) : 0;

    aside_join(stage->writing);
    return r < 0 ? r : err_trace(stage->result);
}

static int seal(SealedStage *stage, uint64_t offset, bool last, Str plain) {
    size_t batch = stage->sealed.batch - (size_t)(stage->sealed_at % stage->sealed.batch);
    int r = segment_seal(stage->key, offset / SEGMENT_LEN, last, plain,
                         stage->sealed.bytes + stage->sealed_len);

    if (r < 0) {
        return err_trace(r);
    }
    stage->sealed_len += plain.len + AEAD_OVERHEAD;
    return stage->sealed_len >= batch ? send_off(stage, batch) : 0;
}

/* Seals the tail, which is then empty. */
static int seal_tail(SealedStage *stage, bool last) {
    Str plain = {(const char *)stage->tail, stage->tail_len};

    stage->tail_len = 0;
    return seal(stage, stage->offset - plain.len, last, plain);
}

int sealed_stage_write(SealedStage *stage, Str bytes) {
    if (bytes.len > SEGMENTS_PLAIN_MAX - stage->offset) {
        return err_trace(-EFBIG);
    }
    while (bytes.len > 0) {
        int r = stage->tail_len == SEGMENT_LEN ? seal_tail(stage, false) : 0;
        size_t n = MIN(bytes.len, SEGMENT_LEN - stage->tail_len);

        if (r == 0 && stage->tail_len == 0 && bytes.len > SEGMENT_LEN) {
            r = seal(stage, stage->offset, false, (Str){bytes.ptr, n}); /* where it lies */
        } else {
            memcpy(stage->tail + stage->tail_len, bytes.ptr, n);
            stage->tail_len += n;
        }
        if (r < 0) {
            return r;
        }
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
        aside_free(stage->writing);
        blob_stage_free(stage->stage);
        free(stage->sealed.bytes);
        free(stage->leaving.bytes);
        explicit_bzero(stage->key, sizeof(stage->key));
        explicit_bzero(stage->tail, sizeof(stage->tail));
        free(stage);
    }
    return NULL;
}
