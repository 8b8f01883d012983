/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/ingest_job.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "services/sync/photo/excerpt.h"
#include "services/sync/photo/ingest.h"
#include "services/sync/photo/photo_learn.h"
#include "services/sync/photo/photo_state.h"
#include "services/sync/photo/reingest.h"

/* From that attempt on, what the store does not give is taken to be lost. */
#define ATTEMPTS_MAX 4

#define NO_PICTURE_DETAIL  "No pictures are made of files of this kind; the original is kept."
#define NO_PREVIEW_DETAIL  "There is no picture in this raw file to be shown; the original is kept."
#define TOO_LARGE_DETAIL   "The file is too large to be looked into; it is kept."
#define BROKEN_FILM_DETAIL "The film is broken or ends too early."
#define GIVEN_UP_DETAIL                                                                            \
    "The file could not be looked into, which is no fault of its own: tell the operator."
#define LOST_DETAIL "The file cannot be read from the store: tell the operator."

typedef struct Job {
    SyncService *service;
    Renders *renders;
    const QueueLease *lease;
    Arena *arena;
    UserKey key;
    Library library;
    Uuid photo_id;
    PhotoKind kind;
    bool again, shown; /* it is not new; it has renditions, which stay */
    StoredBlob original, mezzanine, thumbnail;
    bool settled; /* there is nothing to do */
    Lesson lesson;
} Job;

static void job_done(Job *job) {
    user_key_done(&job->key);
    stored_blob_done(&job->original);
    stored_blob_done(&job->mezzanine);
    stored_blob_done(&job->thumbnail);
}

static IngestEnd later(Arena *arena, const char *what, int r) {
    return (IngestEnd){INGEST_END_LATER,
                       arena_printf(arena, "%s: %s", what, strerrordesc_np(r < 0 ? -r : EIO)), 0};
}

static int find(DbTx *tx, void *userdata) {
    Job *job = userdata;
    _cleanup_(object_done) Object photo = {0};
    Uuid blob_id;
    int r = object_get(tx, &job->library, OBJECT_PHOTO, &job->photo_id, &photo);

    job->settled = r > 0 || (r == 0 && !photo_is_to_learn(photo.state, job->again));
    if (r != 0 || job->settled) {
        return r < 0 ? err_trace(r) : 0;
    }
    if (!state_uuid(photo.state, "blob", &blob_id)) {
        return err_trace(-EBADMSG);
    }
    job->kind = photo_kind(photo.state);
    job->shown = json_object_get(photo.state, "renditions") != NULL;
    r = blob_store_get(tx, &job->key, &blob_id, job->arena, &job->original);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EBADMSG);
}

static int learn(DbTx *tx, void *userdata) {
    Job *job = userdata;
    int r = photo_learn(tx, &job->library, &job->photo_id, &job->lesson);

    job->settled = r == PHOTO_LEARN_E_SETTLED;
    return r;
}

/* Writes the lesson down. */
static IngestEnd tell(Job *job, IngestEndKind kind, const char *why) {
    int r = db_write(job->service->options.db, learn, job, NULL);

    if (r < 0) {
        return later(job->arena, "the photo cannot be written", r);
    }
    return (IngestEnd){job->settled ? INGEST_END_NOTHING : kind, why, 0};
}

/* Nothing was learned of it: one that is not new stays as it is. */
static IngestEnd unreadable(Job *job, IngestEndKind kind, const char *reason) {
    if (job->again) {
        return (IngestEnd){kind, reason, 0};
    }
    job->lesson = (Lesson){.reason = reason};
    return tell(job, kind, reason);
}

static int store(Job *job, const RenderFile *file, StoredBlob *ret_blob) {
    _cleanup_(map_done) Map map = MAP_INIT;
    int r = map_range(file->fd, 0, file->len, &map);

    if (r < 0) {
        return err_trace(r);
    }
    stored_blob_new(&job->key, ret_blob);
    ret_blob->size = file->len;
    r = sealed_blob_put(job->service->options.blobs, str_from(ret_blob->name), ret_blob->key,
                        (Str){map.data, map.len});
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EEXIST);
}

/* What is known of a file that no picture is made of: a film is what it is, a raw file lacks one.
 */
static IngestEnd note(Job *job, const Rendering *rendering) {
    bool film = job->kind == PHOTO_KIND_VIDEO;

    job->lesson = (Lesson){
        .again = job->again, .rendering = rendering, .reason = film ? NULL : NO_PREVIEW_DETAIL};
    return tell(job, film ? INGEST_END_READY : INGEST_END_UNREADABLE, job->lesson.reason);
}

/* Both files first, then the row that names them: what a crash leaves are orphans. */
static IngestEnd keep(Job *job, const Rendering *rendering) {
    Blobs *blobs = job->service->options.blobs;
    IngestEnd end;
    int r;

    if (job->shown) {
        job->lesson = (Lesson){.again = true, .rendering = rendering};
        return tell(job, INGEST_END_READY, NULL);
    }
    r = store(job, &rendering->mezzanine, &job->mezzanine);
    if (r == 0) {
        r = store(job, &rendering->thumbnail, &job->thumbnail);
    }
    if (r < 0) {
        end = later(job->arena, "the renditions cannot be stored", r);
    } else {
        job->lesson = (Lesson){.again = job->again,
                               .rendering = rendering,
                               .mezzanine = &job->mezzanine,
                               .thumbnail = &job->thumbnail};
        end = tell(job, INGEST_END_READY, NULL);
    }
    /* After a lost COMMIT nobody knows whether they are named: they stay. */
    if (end.kind == INGEST_END_NOTHING) {
        (void)blobs_remove(blobs, str_from(job->mezzanine.name));
        (void)blobs_remove(blobs, str_from(job->thumbnail.name));
    }
    return end;
}

static IngestEnd judge(Job *job, const Rendering *rendering) {
    const char *detail =
        rendering->detail[0] ? arena_strdup(job->arena, str_from(rendering->detail)) : NULL;

    switch (rendering->status) {
    case RENDER_OK:
        return job->kind == PHOTO_KIND_PICTURE ? keep(job, rendering) : note(job, rendering);
    case RENDER_UNSUPPORTED:
        return unreadable(job, INGEST_END_UNREADABLE, NO_PICTURE_DETAIL);
    case RENDER_UNREADABLE:
        return unreadable(job, INGEST_END_UNREADABLE, detail ? detail : "The picture is broken.");
    case RENDER_TOO_LARGE:
        return unreadable(job, INGEST_END_UNREADABLE, detail ? detail : TOO_LARGE_DETAIL);
    case RENDER_TIMEOUT:
        return unreadable(job, INGEST_END_POISON, "Reading the picture takes too long.");
    case RENDER_CRASHED:
        return unreadable(job, INGEST_END_POISON, "The picture cannot be read.");
    case RENDER_BUSY:
        return (IngestEnd){INGEST_END_BUSY, NULL, rendering->retry_after_s};
    case RENDER_CANCELLED:
        return (IngestEnd){INGEST_END_STOPPED, "the server ended", 0};
    default:
        return later(job->arena, "the renderer failed", -EIO);
    }
}

static void go_on(void *userdata) {
    const Job *job = userdata;

    (void)queue_extend(job->service->options.queue, job->lease, INGEST_VISIBILITY_MS);
}

/*
 * The JPEG in a raw file, which is what its camera made of it; all that is known of it is the raw
 * file's. So nothing says where metadata lies, and links show the mezzanine.
 */
static IngestEnd render_preview(Job *job, int fd, const Rendering *raw) {
    _cleanup_(rendering_done) Rendering rendering = RENDERING_NONE;
    RenderSource preview = {fd, raw->raw.preview_offset, raw->raw.preview_len};
    int r = renders_run(job->renders, RENDER_INGEST, &preview, raw->photo.orientation, go_on, job,
                        &rendering);

    if (r < 0) {
        return later(job->arena, "the renderer takes no jobs", r);
    }
    switch (rendering.status) {
    case RENDER_OK:
        rendering.photo = raw->photo;
        rendering.raw = raw->raw;
        return keep(job, &rendering);
    case RENDER_UNSUPPORTED:
    case RENDER_UNREADABLE:
    case RENDER_TOO_LARGE:
        return note(job, raw);
    default:
        return judge(job, &rendering);
    }
}

/* The whole picture; of films and raw files what they say of themselves. */
static IngestEnd render(Job *job, int fd, uint64_t len) {
    _cleanup_(rendering_done) Rendering rendering = RENDERING_NONE;
    RenderOp op = job->kind == PHOTO_KIND_PICTURE ? RENDER_INGEST : RENDER_METADATA;
    int r;

    go_on(job);
    r = renders_run(job->renders, op, &(RenderSource){fd, 0, len}, 0, go_on, job, &rendering);
    if (r < 0) {
        return later(job->arena, "the renderer takes no jobs", r);
    }
    return rendering.status == RENDER_OK && rendering.raw.preview_len > 0
               ? render_preview(job, fd, &rendering)
               : judge(job, &rendering);
}

static IngestEnd look_into(Job *job) {
    _cleanup_(fd_closep) int fd = -1;
    uint64_t len;
    int r;

    if (job->lease->attempt >= INGEST_ATTEMPTS_MAX) {
        return unreadable(job, INGEST_END_POISON, GIVEN_UP_DETAIL);
    }
    r = excerpt_take(job->service->options.blobs, &job->original, job->kind, job->arena, &fd, &len);
    switch (r) {
    case 0:
        return render(job, fd, len);
    case EXCERPT_E_TOO_LARGE:
        return unreadable(job, INGEST_END_UNREADABLE, TOO_LARGE_DETAIL);
    case EXCERPT_E_BROKEN:
        return unreadable(job, INGEST_END_UNREADABLE, BROKEN_FILM_DETAIL);
    default:
        return r > 0 && job->lease->attempt >= ATTEMPTS_MAX
                   ? unreadable(job, INGEST_END_POISON, LOST_DETAIL)
                   : later(job->arena, "the file cannot be read from the store", r);
    }
}

void ingest_job(SyncService *service, Renders *renders, const QueueLease *lease, Arena *arena,
                IngestEnd *ret_end) {
    _cleanup_(job_done)
        Job job = {.service = service, .renders = renders, .lease = lease, .arena = arena};
    int r = uuid_from_str(lease->job.payload, &job.photo_id);

    job.again = strcmp(lease->job.kind, PHOTO_JOB_REINGEST) == 0;
    *ret_end = (IngestEnd){INGEST_END_NOTHING, NULL, 0};
    if (r < 0) {
        *ret_end = (IngestEnd){INGEST_END_POISON, "the job names no photo", 0};
        return;
    }
    r = library_key_get(service->keys, &lease->job.user_id, &job.key);
    if (r > 0) {
        return; /* the user is no more */
    }
    job.library = (Library){.key = &job.key, .now_us = clock_unix_us(), .arena = arena};
    r = r < 0 ? r : db_read(service->options.db, NULL, find, &job);
    if (r < 0) {
        *ret_end = later(arena, "the photo cannot be read", r);
    } else if (!job.settled) {
        *ret_end = look_into(&job);
    }
}
