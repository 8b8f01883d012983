/* SPDX-License-Identifier: Apache-2.0 */

/* A stage: state.h says what of it is in the store. */

#include "adapters/blobs/s3/multipart.h"
#include "adapters/blobs/s3/state.h"
#include "base/error.h"

typedef struct Stage {
    BlobStage base; /* first */
    const BlobsS3 *self;
    Arena *arena;
    Str name;
    const char *key;
    uint64_t offset;    /* of all that was written */
    S3State state;      /* but for its rest, which is in `part` */
    size_t capacity;    /* of the ETags */
    Buf part;           /* what fills no part yet */
    bool failed;        /* what was written since is not known to be whole */
    uint64_t synced[2]; /* the offsets of the states that are there, the last one first */
    size_t n_synced;
} Stage;

static Stage *stage_new(const BlobsS3 *self, Str name) {
    Stage *stage = calloc(1, sizeof(*stage));
    Uuid writer = uuid_new();

    if (!stage) {
        abort();
    }
    stage->base.impl = self->base.impl;
    stage->self = self;
    stage->arena = arena_new();
    stage->name = (Str){arena_strdup(stage->arena, name), name.len};
    stage->key = s3_key(self, "blobs/", name, stage->arena);
    stage->state.upload = "";
    uuid_text(&writer, stage->state.writer);
    return stage;
}

BlobStage *s3_stage_free(BlobStage *base) {
    Stage *stage = (Stage *)base;

    buf_done(&stage->part);
    arena_free(stage->arena);
    free(stage);
    return NULL;
}

/* All that there is of a stage, and uploads that no state knows of. */
static int drop(const BlobsS3 *self, Str name, const uint64_t *offsets, size_t n) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int r = s3_uploads_abort(self, s3_key(self, "blobs/", name, arena), NULL);

    for (size_t i = 0; i < n && r == 0; i++) {
        r = s3_state_delete(self, name, offsets[i]);
    }
    return err_trace(r);
}

int s3_stage_remove(Blobs *blobs, Str name) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    uint64_t *offsets;
    size_t n;
    int r = blob_name_is_good(name) ? s3_state_list(self, name, arena, &offsets, &n) : -EINVAL;

    return err_trace(r < 0 ? r : drop(self, name, offsets, n));
}

/* Drops the states after the one at `at`, with what was uploaded since, and those that are older
 * than the one before it. */
static int keep_two(Stage *stage, const uint64_t *offsets, size_t n, size_t at) {
    int r = 0;

    if (at + 1 < n && stage->state.upload[0] == '\0') {
        r = s3_uploads_abort(stage->self, stage->key, NULL);
    }
    for (size_t i = n; i-- > 0 && r == 0;) {
        if (i > at || i + 1 < at) {
            r = s3_state_delete(stage->self, stage->name, offsets[i]);
        }
    }
    stage->synced[0] = offsets[at];
    stage->synced[1] = at > 0 ? offsets[at - 1] : 0;
    stage->n_synced = at > 0 ? 2 : 1;
    return err_trace(r);
}

static int go_on(Stage *stage, uint64_t offset, const uint64_t *offsets, size_t n) {
    S3State own = stage->state;
    size_t at = 0;
    int r;

    while (at < n && offsets[at] != offset) {
        at++;
    }
    if (at == n) {
        return BLOBS_E_SHORT;
    }
    r = s3_state_get(stage->self, stage->name, offset, stage->arena, &stage->state);
    if (r != 0) {
        return r < 0 ? err_trace(r) : BLOBS_E_SHORT;
    }
    if (stage->state.upload[0] == '\0') {
        /* What becomes of it is our doing, and not that of whoever it is taken from. */
        memcpy(stage->state.writer, own.writer, sizeof(own.writer));
    }
    stage->offset = offset;
    stage->capacity = stage->state.n_parts;
    buf_add_str(&stage->part, stage->state.rest);
    return err_trace(keep_two(stage, offsets, n, at));
}

int s3_stage_open(Blobs *blobs, Str name, uint64_t offset, BlobStage **ret_stage) {
    const BlobsS3 *self = (BlobsS3 *)blobs;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Stage *stage;
    uint64_t *offsets, size;
    size_t n;
    int r = blob_name_is_good(name) && offset <= INT64_MAX ? s3_check(self) : -EINVAL;

    if (r < 0) {
        return err_trace(r);
    }
    r = s3_head(self, s3_key(self, "blobs/", name, arena), &size);
    if (r != BLOBS_E_NONE) {
        return r < 0 ? err_trace(r) : BLOBS_E_EXISTS;
    }
    r = s3_state_list(self, name, arena, &offsets, &n);
    if (r < 0) {
        return err_trace(r);
    }
    stage = stage_new(self, name);
    if (offset > 0) {
        r = go_on(stage, offset, offsets, n);
    } else if (n > 0) {
        r = drop(self, name, offsets, n);
    }
    if (r != 0) {
        s3_stage_free(&stage->base);
        return r < 0 ? err_trace(r) : r;
    }
    *ret_stage = &stage->base;
    return 0;
}

/* There is no such upload any more and no blob of ours either: it was aborted, by a rule of the
 * bucket perhaps. What the states say is then not so, and the caller has to begin again. */
static int lose(Stage *stage) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    uint64_t *offsets;
    size_t n;
    int r = s3_state_list(stage->self, stage->name, arena, &offsets, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = s3_state_delete(stage->self, stage->name, offsets[i]);
    }
    return err_trace(r < 0 ? r : -EIO);
}

/* The upload is in the state as soon as it is there. Until now `part` has had all. */
static int begin(Stage *stage) {
    uint64_t offset = stage->n_synced > 0 ? stage->synced[0] : 0;
    S3State state;
    int r = s3_upload_begin(stage->self, stage->key, stage->state.writer, stage->arena,
                            &stage->state.upload);

    if (r < 0) {
        return err_trace(r);
    }
    state = stage->state;
    state.rest = (Str){buf_cstr(&stage->part), (size_t)offset};
    r = s3_state_put(stage->self, stage->name, offset, &state);
    if (r == 0 && stage->n_synced == 0) {
        stage->synced[0] = 0;
        stage->n_synced = 1;
    }
    return err_trace(r);
}

static int upload(Stage *stage, Str bytes) {
    S3State *state = &stage->state;
    const char *etag;
    int r = state->n_parts < S3_PARTS_MAX ? 0 : -EFBIG;

    if (r == 0 && state->upload[0] == '\0') {
        r = begin(stage);
    }
    if (r < 0) {
        return err_trace(r);
    }
    r = s3_upload_part(stage->self, stage->key, state->upload, state->n_parts + 1, bytes,
                       stage->arena, &etag);
    if (r != 0) {
        return r < 0 ? err_trace(r) : lose(stage);
    }
    if (state->n_parts == stage->capacity) {
        const char **more;
        stage->capacity = MAX(2 * stage->capacity, (size_t)16);
        more = arena_alloc(stage->arena, stage->capacity * sizeof(*more));
        for (size_t i = 0; i < state->n_parts; i++) {
            more[i] = state->etags[i];
        }
        state->etags = more;
    }
    state->etags[state->n_parts++] = etag;
    return 0;
}

static int write_all(Stage *stage, Str bytes) {
    while (bytes.len > 0) {
        size_t n = MIN(bytes.len, S3_PART_LEN - stage->part.len);
        Str piece = {bytes.ptr, n};
        int r = 0;
        if (n == S3_PART_LEN) {
            r = upload(stage, piece); /* from where it is */
        } else {
            buf_add_str(&stage->part, piece);
            if (stage->part.len == S3_PART_LEN) {
                r = upload(stage, buf_str(&stage->part));
                stage->part.len = 0;
            }
        }
        if (r < 0) {
            return err_trace(r);
        }
        stage->offset += n;
        bytes = (Str){bytes.ptr + n, bytes.len - n};
    }
    return 0;
}

/* Passes a result on; after a fault nothing but the end of the stage does. */
static int note(Stage *stage, int r) {
    stage->failed |= r < 0;
    return err_trace(r);
}

int s3_stage_write(BlobStage *base, Str bytes) {
    Stage *stage = (Stage *)base;

    return note(stage, stage->failed ? -EIO : write_all(stage, bytes));
}

static int put_state(Stage *stage) {
    int r;

    if (stage->offset == (stage->n_synced > 0 ? stage->synced[0] : 0)) {
        return 0;
    }
    stage->state.rest = buf_str(&stage->part);
    r = s3_state_put(stage->self, stage->name, stage->offset, &stage->state);
    if (r == 0 && stage->n_synced == 2) {
        r = s3_state_delete(stage->self, stage->name, stage->synced[1]);
    }
    if (r < 0) {
        return err_trace(r);
    }
    stage->synced[1] = stage->synced[0];
    stage->synced[0] = stage->offset;
    stage->n_synced = MIN(stage->n_synced + 1, (size_t)2);
    return 0;
}

int s3_stage_sync(BlobStage *base) {
    Stage *stage = (Stage *)base;

    return note(stage, stage->failed ? -EIO : put_state(stage));
}

static int complete(Stage *stage) {
    const S3State *state = &stage->state;
    int r = stage->part.len > 0 ? upload(stage, buf_str(&stage->part)) : 0, found;

    if (r < 0) {
        return err_trace(r);
    }
    r = s3_upload_complete(stage->self, stage->key, state->upload, state->etags, state->n_parts);
    if (r <= 0) {
        return err_trace(r);
    }
    found = s3_find_writer(stage->self, stage->key, state->writer);
    if (found < 0) {
        return err_trace(found);
    }
    if (found == BLOBS_E_NONE) {
        return lose(stage);
    }
    if (r == BLOBS_E_EXISTS && found == BLOBS_E_EXISTS) {
        r = s3_uploads_abort(stage->self, stage->key, NULL);
        return r < 0 ? err_trace(r) : BLOBS_E_EXISTS;
    }
    return found;
}

int s3_stage_commit(BlobStage *base) {
    Stage *stage = (Stage *)base;
    int r = stage->failed ? -EIO
            : stage->state.upload[0] != '\0'
                ? complete(stage)
                : s3_put_new(stage->self, stage->key, buf_str(&stage->part), stage->state.writer);

    if (r < 0) {
        return note(stage, r);
    }
    /* The blob is there, whatever becomes of these: what is left goes with stages that expired. */
    for (size_t i = 0; i < stage->n_synced; i++) {
        (void)s3_state_delete(stage->self, stage->name, stage->synced[i]);
    }
    return r;
}
