/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who writes to an upload: one at a time. In this process a newcomer takes it from whoever has it,
 * since that one's client has likely gone without a word; what came until then is kept. Another
 * process' lease is waited for.
 *
 * Bytes are made durable, and how far they go is noted, every UPLOAD_NOTE_EVERY bytes and when
 * they end before the upload does; so after a crash an upload goes on from the last note. The calls
 * block, and are made by one thread at a time for a writer; being taken from comes from others.
 */

#include "services/sync/internal.h"
#include "services/sync/upload/upload_store.h"

#define UPLOAD_NOTE_EVERY ((uint64_t)64 << 20)

typedef struct UploadWriters UploadWriters; /* those of this process */
typedef struct UploadWriter UploadWriter;

UploadWriters *upload_writers_new(unsigned max);
UploadWriters *upload_writers_free(UploadWriters *writers); /* accepts NULL */

enum {
    UPLOAD_WRITER_E_NONE = 1, /* no such upload */
    UPLOAD_WRITER_E_BUSY,     /* another process has it */
    UPLOAD_WRITER_E_OFFSET,   /* it is not there: *ret_upload is given */
    UPLOAD_WRITER_E_SETTLED,  /* it has become a photo: *ret_upload is given */
    UPLOAD_WRITER_E_FULL,     /* too many uploads at once: try again later */
    UPLOAD_WRITER_E_STAGE,    /* what had come is gone from the store: it has to begin anew */
    UPLOAD_WRITER_E_TAKEN,    /* another has taken it up since, or it was removed */
    UPLOAD_WRITER_E_LONG,     /* more bytes than it has */
    UPLOAD_WRITER_E_QUOTA,    /* the library has no room for them */
};

typedef struct UploadWriterOptions {
    SyncService *service;
    const UserKey *key; /* copied */
    Uuid id;
    const Upload *created; /* that row was made with a lease for this writer; NULL: it is taken */
    uint64_t offset;       /* where it is to go on */
    bool not_in_part; /* nothing is kept unless upload_writer_commit() or _close(keep) is reached */
    Arena *arena;     /* for *ret_upload */
} UploadWriterOptions;

/* 0, NONE, BUSY, OFFSET, SETTLED, FULL, STAGE, TAKEN or a fault. */
int upload_writer_open(const UploadWriterOptions *options, Upload *ret_upload,
                       UploadWriter **ret_writer);
/* 0, TAKEN, LONG or QUOTA (nothing of these bytes was taken), or a fault; then only closing is
 * left. `stays`: the bytes will not change until the call after the next has returned, so that they
 * may be sealed and hashed while more comes; a fault of that shows in a later call. */
int upload_writer_add(UploadWriter *writer, Str bytes, bool stays);
/* All bytes are there: they become the blob. The upload is still the writer's, to settle. 0, TAKEN
 * or a fault. */
int upload_writer_commit(UploadWriter *writer);
/* Ends it, and gives the upload back. With `keep` 0 says that all that came is durable, with
 * *ret_offset where it goes on (may be NULL); TAKEN; or a fault. Accepts NULL. */
int upload_writer_close(UploadWriter *writer, bool keep, uint64_t *ret_offset);
void upload_writer_closep(UploadWriter **writer); /* for _cleanup_: keeps nothing more */

/* What it writes to; its progress is that of the bytes added, without a tail. */
const Upload *upload_writer_upload(const UploadWriter *writer);
const UserKey *upload_writer_key(const UploadWriter *writer);
SyncService *upload_writer_service(const UploadWriter *writer);

/* Takes it from whoever writes to it in this process, so that what came is noted. */
void upload_writers_evict(SyncService *service, const Uuid *user_id, const Uuid *id);
