/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_writer.h"

#include "base/aside.h"
#include "base/clock.h"
#include "base/error.h"
#include "services/sync/upload/upload_room.h"

#include <pthread.h>

#define ASIDE_MIN ((size_t)256 << 10) /* below, another thread is not worth waking */
#define PIECES    (ASIDE_AHEAD + 1)   /* one is made while two are worked on */
#define RENEW_MS  (UPLOAD_LEASE_US / 1000 / 3)

/* Of what came. */
typedef struct Piece {
    UploadWriter *writer;
    Str bytes;
} Piece;

struct UploadWriter {
    UploadWriter *next; /* with the registry's lock */
    unsigned refs;      /* likewise */
    SyncService *service;
    Uuid id;
    UserKey key;
    pthread_mutex_t lock; /* for all that follows */
    Arena *arena;
    Upload upload;
    SealedStage *stage; /* NULL: nothing is written any more */
    Aside *sealing;     /* of pieces, onto the stage */
    Aside *hashing;     /* of the same */
    Piece pieces[PIECES];
    unsigned piece;
    atomic_int sealed; /* 0, or the first fault of sealing */
    bool is_ours;      /* the lease, as far as is known */
    bool not_in_part;
    uint64_t noted; /* the offset in the table */
    uint64_t renewed_ms;
};

struct UploadWriters {
    pthread_mutex_t lock;
    UploadWriter *first; /* the newest of an upload before older ones */
    unsigned n, max;
};

UploadWriters *upload_writers_new(unsigned max) {
    UploadWriters *writers = calloc(1, sizeof(*writers));

    if (!writers) {
        abort();
    }
    pthread_mutex_init(&writers->lock, NULL);
    writers->max = max;
    return writers;
}

UploadWriters *upload_writers_free(UploadWriters *writers) {
    if (writers) {
        pthread_mutex_destroy(&writers->lock);
        free(writers);
    }
    return NULL;
}

/* With the registry's lock; a reference is added. */
static UploadWriter *find(const UploadWriters *writers, const Uuid *user_id, const Uuid *id) {
    UploadWriter *writer = writers->first;

    while (writer && !(uuid_equal(&writer->id, id) && uuid_equal(&writer->key.user_id, user_id))) {
        writer = writer->next;
    }
    if (writer) {
        writer->refs++;
    }
    return writer;
}

static void unref(UploadWriter *writer) {
    UploadWriters *writers = writer->service->writers;
    bool last;

    pthread_mutex_lock(&writers->lock);
    last = --writer->refs == 0;
    pthread_mutex_unlock(&writers->lock);
    if (last) {
        aside_free(writer->sealing);
        aside_free(writer->hashing);
        sealed_stage_free(writer->stage);
        upload_done(&writer->upload);
        user_key_done(&writer->key);
        arena_free(writer->arena);
        pthread_mutex_destroy(&writer->lock);
        free(writer);
    }
}

static void leave(UploadWriter *writer) {
    UploadWriters *writers = writer->service->writers;
    UploadWriter **at;

    pthread_mutex_lock(&writers->lock);
    at = &writers->first;
    while (*at != writer) {
        at = &(*at)->next;
    }
    *at = writer->next;
    writers->n--;
    pthread_mutex_unlock(&writers->lock);
}

typedef struct Work {
    UploadWriter *writer;
    Arena *arena;
    uint64_t offset; /* wanted */
    int64_t lease_us;
    Upload upload;
} Work;

static int renew(DbTx *tx, void *userdata) {
    const Work *work = userdata;

    return upload_renew(tx, &work->writer->key, &work->writer->upload, work->lease_us);
}

static int note(DbTx *tx, void *userdata) {
    const Work *work = userdata;

    return upload_note(tx, &work->writer->key, &work->upload, work->lease_us, work->arena);
}

/* In the table, `is_over` with the lease given back. 0, TAKEN or a fault. */
static int note_progress(UploadWriter *writer, Str tail, bool is_over) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Work work = {.writer = writer,
                 .arena = arena,
                 .lease_us = is_over ? 0 : clock_unix_us() + UPLOAD_LEASE_US,
                 .upload = writer->upload};
    uint64_t began_ms = clock_mono_ms();
    int r;

    work.upload.progress.tail = tail;
    r = db_write(writer->service->options.db, note, &work, NULL);
    if (r == 0) {
        writer->noted = writer->upload.progress.offset;
        writer->renewed_ms = began_ms;
    }
    return r == UPLOAD_E_LOST ? UPLOAD_WRITER_E_TAKEN : err_trace(r);
}

/* What was added is hashed, and on the stage; or a fault. */
static int await_pieces(UploadWriter *writer) {
    aside_join(writer->hashing);
    aside_join(writer->sealing);
    return err_trace(atomic_load(&writer->sealed));
}

/* Durable, then noted. */
static int checkpoint(UploadWriter *writer, bool is_over) {
    Str tail;
    int r = await_pieces(writer);

    if (r == 0) {
        r = sealed_stage_sync(writer->stage, &tail);
    }
    return r < 0 ? err_trace(r) : note_progress(writer, tail, is_over);
}

static int keep_lease(UploadWriter *writer) {
    uint64_t now_ms = clock_mono_ms();
    Work work = {.writer = writer, .lease_us = clock_unix_us() + UPLOAD_LEASE_US};
    int r;

    if (now_ms - writer->renewed_ms < RENEW_MS) {
        return 0;
    }
    r = db_write(writer->service->options.db, renew, &work, NULL);
    if (r == 0) {
        writer->renewed_ms = now_ms;
    }
    return r == UPLOAD_E_LOST ? UPLOAD_WRITER_E_TAKEN : err_trace(r);
}

/* With the lock. */
static int shut(UploadWriter *writer, bool keep) {
    Work work = {.writer = writer, .lease_us = 0};
    bool is_ours = writer->is_ours;
    int r = await_pieces(writer);

    writer->is_ours = false;
    if (r == 0 && keep && writer->stage && is_ours) {
        if (writer->upload.progress.offset > writer->noted) {
            r = checkpoint(writer, true);
            is_ours = r < 0;
        }
    } else if (r == 0 && keep) {
        r = UPLOAD_WRITER_E_TAKEN;
    }
    if (is_ours) {
        /* Best effort: a lease that stays lapses. */
        (void)db_write(writer->service->options.db, renew, &work, NULL);
    }
    writer->stage = sealed_stage_free(writer->stage);
    return r;
}

static void evict(UploadWriter *writer) {
    if (writer) {
        pthread_mutex_lock(&writer->lock);
        /* What cannot be kept is sent again. */
        (void)shut(writer, !writer->not_in_part && writer->stage);
        pthread_mutex_unlock(&writer->lock);
        unref(writer);
    }
}

void upload_writers_evict(SyncService *service, const Uuid *user_id, const Uuid *id) {
    UploadWriter *writer;

    pthread_mutex_lock(&service->writers->lock);
    writer = find(service->writers, user_id, id);
    pthread_mutex_unlock(&service->writers->lock);
    evict(writer);
}

static int take(DbTx *tx, void *userdata) {
    Work *work = userdata;
    UploadWriter *writer = work->writer;
    int r = upload_get(tx, &writer->key, &writer->id, work->arena, &work->upload);

    if (r != 0) {
        return r < 0 ? err_trace(r) : UPLOAD_WRITER_E_NONE;
    }
    if (work->upload.outcome != UPLOAD_UNFINISHED) {
        return UPLOAD_WRITER_E_SETTLED;
    }
    if (work->upload.progress.offset != work->offset) {
        return UPLOAD_WRITER_E_OFFSET;
    }
    r = upload_take(tx, &writer->key, &work->upload, clock_unix_us());
    return r > 0 ? UPLOAD_WRITER_E_BUSY : err_trace(r);
}

static bool is_whole(const Upload *upload) {
    return upload->progress.offset == upload->length;
}

static int open_stage(UploadWriter *writer) {
    const Upload *upload = &writer->upload;
    Blobs *blobs = writer->service->options.blobs;
    Str name = str_from(upload->blob.name);
    Executor *executor = writer->service->options.upload_executor;
    int r = sealed_stage_open(blobs, name, upload->blob.key, upload->progress.offset,
                              upload->progress.tail, executor, &writer->stage);

    if (r == BLOBS_E_EXISTS && is_whole(upload)) {
        return 0; /* committed before it could be settled */
    }
    if (r == BLOBS_E_EXISTS && upload->progress.offset == 0) {
        /* Likewise, without a note (see commit()): it comes again. */
        r = blobs_remove(blobs, name);
        if (r == 0) {
            r = sealed_stage_open(blobs, name, upload->blob.key, 0, (Str){0}, executor,
                                  &writer->stage);
        }
    }
    return r > 0 ? UPLOAD_WRITER_E_STAGE : err_trace(r);
}

/* With the lock. `work->arena` holds what is told of an upload that is not taken. */
static int open_upload(UploadWriter *writer, Work *work, const Upload *created,
                       Upload *ret_upload) {
    int r = 0;

    if (created) {
        work->upload = *created;
    } else {
        r = db_write(writer->service->options.db, take, work, NULL);
    }

    if (r == UPLOAD_WRITER_E_SETTLED || r == UPLOAD_WRITER_E_OFFSET) {
        *ret_upload = work->upload;
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    writer->upload = *ret_upload = work->upload;
    writer->noted = work->upload.progress.offset;
    writer->renewed_ms = clock_mono_ms();
    writer->is_ours = true;
    r = open_stage(writer);
    if (r != 0) {
        (void)shut(writer, false);
    }
    return r < 0 ? err_trace(r) : r;
}

static UploadWriter *writer_new(const UploadWriterOptions *options) {
    UploadWriter *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        abort();
    }
    writer->refs = 1;
    writer->service = options->service;
    writer->key = *options->key;
    writer->id = options->id;
    writer->not_in_part = options->not_in_part;
    writer->arena = arena_new();
    writer->sealing = aside_new(options->service->options.upload_executor);
    writer->hashing = aside_new(options->service->options.upload_executor);
    pthread_mutex_init(&writer->lock, NULL);
    return writer;
}

/* Joins with its lock held, so that whoever comes next waits until it is open. */
static int join(UploadWriter *writer, UploadWriter **ret_older) {
    UploadWriters *writers = writer->service->writers;
    int r = 0;

    pthread_mutex_lock(&writers->lock);
    if (writers->n >= writers->max) {
        r = UPLOAD_WRITER_E_FULL;
    } else {
        *ret_older = find(writers, &writer->key.user_id, &writer->id);
        writer->next = writers->first;
        writers->first = writer;
        writers->n++;
    }
    pthread_mutex_unlock(&writers->lock);
    return r;
}

int upload_writer_open(const UploadWriterOptions *options, Upload *ret_upload,
                       UploadWriter **ret_writer) {
    UploadWriter *writer = writer_new(options), *older;
    Work work = {.writer = writer, .arena = writer->arena, .offset = options->offset};
    Upload upload;
    int r;

    pthread_mutex_lock(&writer->lock);
    r = join(writer, &older);
    if (r != 0) {
        pthread_mutex_unlock(&writer->lock);
        unref(writer);
        return r;
    }
    evict(older);
    r = open_upload(writer, &work, options->created, &upload);
    pthread_mutex_unlock(&writer->lock);
    if (r == 0) {
        *ret_upload = upload;
        *ret_writer = writer;
        return 0;
    }
    if (r == UPLOAD_WRITER_E_SETTLED || r == UPLOAD_WRITER_E_OFFSET) {
        upload.about = (UploadAbout){0}; /* goes with the writer */
        upload.progress.tail = (Str){0};
        *ret_upload = upload;
    }
    leave(writer);
    unref(writer);
    return r < 0 ? err_trace(r) : r;
}

static int keep_room(UploadWriter *writer, size_t n) {
    int r = upload_room_grow(writer->service, &writer->key, &writer->upload, n);

    return r == UPLOAD_ROOM_E_QUOTA  ? UPLOAD_WRITER_E_QUOTA
           : r == UPLOAD_ROOM_E_LOST ? UPLOAD_WRITER_E_TAKEN
                                     : err_trace(r);
}

static void seal_piece(void *userdata) {
    Piece *piece = userdata;
    UploadWriter *writer = piece->writer;

    if (atomic_load(&writer->sealed) == 0) {
        atomic_store(&writer->sealed, sealed_stage_write(writer->stage, piece->bytes));
    }
}

static void hash_piece(void *userdata) {
    Piece *piece = userdata;

    running_digest_add(&piece->writer->upload.progress.hash, piece->bytes);
}

/* Both beside what brings the next bytes, when these stay. */
static int seal_and_hash(UploadWriter *writer, Str bytes, bool stays) {
    Piece *piece = &writer->pieces[writer->piece];
    int r = 0;

    if (bytes.len < ASIDE_MIN || !stays) {
        r = await_pieces(writer);
    }
    if (r < 0) {
        return r;
    }
    writer->piece = (writer->piece + 1) % PIECES;
    *piece = (Piece){writer, bytes};
    if (bytes.len < ASIDE_MIN) {
        hash_piece(piece);
        seal_piece(piece);
    } else {
        aside_start(writer->hashing, hash_piece, piece);
        aside_start(writer->sealing, seal_piece, piece);
    }
    return stays ? err_trace(atomic_load(&writer->sealed)) : await_pieces(writer);
}

static int add(UploadWriter *writer, Str bytes, bool stays) {
    UploadProgress *progress = &writer->upload.progress;
    size_t n = MIN(bytes.len, UPLOAD_HEAD_LEN - progress->head_len);
    int r;

    if (bytes.len > writer->upload.length - progress->offset) {
        return UPLOAD_WRITER_E_LONG;
    }
    r = keep_lease(writer);
    if (r == 0) {
        r = keep_room(writer, bytes.len);
    }
    if (r == 0) {
        r = seal_and_hash(writer, bytes, stays);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    memcpy(progress->head + progress->head_len, bytes.ptr, n);
    progress->head_len += n;
    progress->offset += bytes.len;
    return writer->not_in_part || progress->offset - writer->noted < UPLOAD_NOTE_EVERY
               ? 0
               : checkpoint(writer, false);
}

int upload_writer_add(UploadWriter *writer, Str bytes, bool stays) {
    int r;

    pthread_mutex_lock(&writer->lock);
    r = writer->is_ours && writer->stage ? add(writer, bytes, stays) : UPLOAD_WRITER_E_TAKEN;
    if (r < 0) {
        (void)await_pieces(writer);
        writer->stage = sealed_stage_free(writer->stage);
    }
    pthread_mutex_unlock(&writer->lock);
    return r < 0 ? err_trace(r) : r;
}

static int commit(UploadWriter *writer) {
    Upload *upload = &writer->upload;
    int r = await_pieces(writer);

    if (r < 0) {
        return err_trace(r);
    }
    if (!writer->stage) {
        return 0; /* it is the blob already */
    }
    upload->length = upload->progress.offset;
    /* What came at once needs no note on its way: after a crash before it is settled it comes
     * again. A part is never settled, its note is all there is. */
    if (upload->length > writer->noted && (writer->noted > 0 || upload->kind == UPLOAD_PART)) {
        r = checkpoint(writer, false);
    }
    if (r == 0) {
        r = sealed_stage_commit(writer->stage);
    }
    if (r == BLOBS_E_EXISTS) {
        r = 0; /* names are never used twice: these very bytes */
    }
    writer->stage = sealed_stage_free(writer->stage);
    return r < 0 ? err_trace(r) : r;
}

int upload_writer_commit(UploadWriter *writer) {
    int r;

    pthread_mutex_lock(&writer->lock);
    r = writer->is_ours ? commit(writer) : UPLOAD_WRITER_E_TAKEN;
    pthread_mutex_unlock(&writer->lock);
    return r < 0 ? err_trace(r) : r;
}

int upload_writer_close(UploadWriter *writer, bool keep, uint64_t *ret_offset) {
    int r;

    if (!writer) {
        return 0;
    }
    pthread_mutex_lock(&writer->lock);
    r = shut(writer, keep);
    if (r == 0 && ret_offset) {
        *ret_offset = writer->noted;
    }
    pthread_mutex_unlock(&writer->lock);
    leave(writer);
    unref(writer);
    return r < 0 ? err_trace(r) : r;
}

void upload_writer_closep(UploadWriter **writer) {
    (void)upload_writer_close(*writer, false, NULL);
}

const Upload *upload_writer_upload(const UploadWriter *writer) {
    return &writer->upload;
}

const UserKey *upload_writer_key(const UploadWriter *writer) {
    return &writer->key;
}

SyncService *upload_writer_service(const UploadWriter *writer) {
    return writer->service;
}
