/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Blobs: bytes under a name that never change once they are there. A folder, or a bucket of S3.
 * What they hold is sealed before it comes here (base/crypto/segments.h): a store knows neither
 * whose it is nor what.
 *
 * Big ones grow on a stage, which outlives the process, and appear whole under their name when they
 * are committed (decision 0012). A stage is worked on by one caller at a time, for which the caller
 * sees; everything else may be done by many at once. Calls block: they belong on a thread that may
 * wait.
 *
 * "Nothing is there" is only said by a store that is known to be there itself: one whose marker is
 * missing (a disk that is not mounted, an emptied bucket) fails with -ENOMEDIUM.
 */

#include "base/arena.h"

#define BLOB_NAME_LEN_MAX 200
#define BLOB_STORE_ID_LEN 36

typedef struct Blobs Blobs;
typedef struct BlobStage BlobStage;

/* Each call documents which of them it has. */
enum {
    BLOBS_E_NONE = 1, /* nothing of that name */
    BLOBS_E_EXISTS,   /* there is a blob of that name already, which stays as it is */
    BLOBS_E_SHORT,    /* what is there ends before that */
};

typedef struct BlobEntry {
    Str name;      /* in the arena */
    uint64_t size; /* of a stage: what is durable of it */
    int64_t changed_us;
} BlobEntry;

typedef enum BlobArea {
    BLOB_AREA_BLOBS,
    BLOB_AREA_STAGES,
} BlobArea;

struct Blobs {
    const struct BlobsImpl *impl;
};
/* Its calls come one at a time, on whichever thread. */
struct BlobStage {
    const struct BlobsImpl *impl;
};

typedef struct BlobsImpl {
    int (*put)(Blobs *self, Str name, Str bytes);
    int (*size)(Blobs *self, Str name, uint64_t *ret_size);
    int (*read)(Blobs *self, Str name, uint64_t offset, void *ret_bytes, size_t len);
    int (*remove)(Blobs *self, Str name);
    int (*list)(Blobs *self, BlobArea area, Str after, size_t max, Arena *arena,
                BlobEntry **ret_entries, size_t *ret_n);
    int (*stage_open)(Blobs *self, Str name, uint64_t offset, BlobStage **ret_stage);
    int (*stage_write)(BlobStage *stage, Str bytes);
    int (*stage_sync)(BlobStage *stage);
    int (*stage_commit)(BlobStage *stage);
    BlobStage *(*stage_free)(BlobStage *stage);
    int (*stage_remove)(Blobs *self, Str name);
    Blobs *(*free)(Blobs *self);
} BlobsImpl;

/*
 * Names are 1..200 of [a-z0-9_], in parts divided by single slashes; none is the beginning of
 * another's parts ("a" and "a/b"). They sort byte by byte.
 */
bool blob_name_is_good(Str name);

/*
 * Every call: 0; its own condition; or a fault: -EINVAL (no name), -ENOSPC, -ENOMEDIUM (above),
 * -ENOTCONN (the store cannot be reached: try again later), -EACCES (it refuses us), -EIO.
 */

/* The whole blob at once; durable when it returns 0. BLOBS_E_EXISTS. */
static inline int blobs_put(Blobs *self, Str name, Str bytes) {
    return self->impl->put(self, name, bytes);
}

/* BLOBS_E_NONE. */
static inline int blobs_size(Blobs *self, Str name, uint64_t *ret_size) {
    return self->impl->size(self, name, ret_size);
}

/* `len` (at least 1) bytes from `offset` on. BLOBS_E_NONE; BLOBS_E_SHORT. Of S3 each call is a
 * request: read a megabyte and not a page. */
static inline int blobs_read(Blobs *self, Str name, uint64_t offset, void *ret_bytes, size_t len) {
    return self->impl->read(self, name, offset, ret_bytes, len);
}

/* 0 also when there is none. */
static inline int blobs_remove(Blobs *self, Str name) {
    return self->impl->remove(self, name);
}

/* In the order of their names, those that come after `after` ("": all), at most `max` (1..1000). */
static inline int blobs_list(Blobs *self, BlobArea area, Str after, size_t max, Arena *arena,
                             BlobEntry **ret_entries, size_t *ret_n) {
    return self->impl->list(self, area, after, max, arena, ret_entries, ret_n);
}

/*
 * Goes on at `offset`, which is 0 or one of the last two that were synced (the caller notes an
 * offset before it syncs the next); what is there beyond it is dropped, of 0 all. Makes the stage
 * when `offset` is 0 and there is none; a store need not list it before it was synced.
 * BLOBS_E_SHORT: less than that is durable, or it is not one of those. BLOBS_E_EXISTS. It is taken
 * from whoever has it open, in this process or another: what that one writes from now on, even in
 * the middle of a call, is no part of it.
 */
static inline int blobs_stage_open(Blobs *self, Str name, uint64_t offset, BlobStage **ret_stage) {
    return self->impl->stage_open(self, name, offset, ret_stage);
}

/* After any fault the stage can only be freed; what was synced stays. -EFBIG: beyond what the store
 * holds, of S3 10,000 parts of 5 MiB. */
static inline int blob_stage_write(BlobStage *stage, Str bytes) {
    return stage->impl->stage_write(stage, bytes);
}

/* All that was written so far is durable. */
static inline int blob_stage_sync(BlobStage *stage) {
    return stage->impl->stage_sync(stage);
}

/* It becomes the blob of its name, durable, and the stage is gone. BLOBS_E_EXISTS: so is the stage.
 * Only blob_stage_free() may follow. Of one that was taken nothing becomes of it. */
static inline int blob_stage_commit(BlobStage *stage) {
    return stage->impl->stage_commit(stage);
}

/* What was not synced may be lost. Accepts NULL, returns NULL. */
static inline BlobStage *blob_stage_free(BlobStage *stage) {
    return stage ? stage->impl->stage_free(stage) : NULL;
}
DEFINE_CLEANUP(BlobStage *, blob_stage_free)

/* 0 also when there is none. */
static inline int blobs_stage_remove(Blobs *self, Str name) {
    return self->impl->stage_remove(self, name);
}

static inline Blobs *blobs_free(Blobs *self) {
    return self ? self->impl->free(self) : NULL;
}
DEFINE_CLEANUP(Blobs *, blobs_free)
