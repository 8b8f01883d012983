/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table sync_upload: files on their way into a library. How far one is, is noted after those
 * bytes are durable, together with all that is needed to go on: its hash so far and the tail of its
 * stage (core/blobs/sealed_blob.h). Calls run in a transaction of the caller's; what they give lies
 * in the arena.
 *
 * Who writes to an upload takes it first: the epoch counts them, and while a lease lasts no other
 * process may. What is noted under an epoch that is not the last is refused.
 */

#include "base/crypto/running_digest.h"
#include "core/model/photo_type.h"
#include "services/sync/blob_store.h"

#define UPLOAD_LENGTH_UNKNOWN UINT64_MAX
#define UPLOAD_HEAD_LEN       PHOTO_TYPE_HEAD /* of a file's first bytes, to see what it is */
#define UPLOAD_LEASE_US       (10LL * 1000000)

typedef enum UploadKind {
    UPLOAD_FILE,
    UPLOAD_PART,  /* of a file that is put together later; never a photo by itself */
    UPLOAD_WHOLE, /* made of parts */
} UploadKind;

/* What became of it; in the table by number. */
typedef enum UploadOutcome {
    UPLOAD_UNFINISHED,
    UPLOAD_ADDED,
    UPLOAD_KNOWN,    /* the library had it */
    UPLOAD_RESTORED, /* it was in the trash */
    UPLOAD_SKIPPED,  /* it had been deleted, and the device wanted it left so */
} UploadOutcome;

/* What the device said of the file. Strings in the arena. */
typedef struct UploadAbout {
    const char *metadata; /* the header Upload-Metadata as it came, or NULL */
    const char *concat;   /* the header Upload-Concat, or NULL */
    const char *name;     /* upload_name_clean() */
    const char *pair;     /* the same for the halves of a pair; or NULL */
    bool skip_deleted;
} UploadAbout;

typedef struct UploadProgress {
    uint64_t offset; /* bytes that came */
    RunningDigest hash;
    size_t head_len;
    uint8_t head[UPLOAD_HEAD_LEN];
    Str tail; /* sealed_blob_tail_len(offset) bytes */
} UploadProgress;

typedef struct Upload {
    Uuid id;
    UploadKind kind;
    uint64_t length; /* or UPLOAD_LENGTH_UNKNOWN */
    int64_t epoch, lease_us;
    StoredBlob blob;
    UploadAbout about;
    UploadProgress progress;
    UploadOutcome outcome;
    Uuid photo_id; /* once it has an outcome */
    int64_t created_us, expires_us;
} Upload;
void upload_done(Upload *upload); /* wipes its key */

enum {
    UPLOAD_E_NONE = 1,
    UPLOAD_E_BUSY, /* another process writes to it */
    UPLOAD_E_LOST, /* somebody took it up since, or it is gone */
};

extern const DbStatement upload_statements[];
extern const size_t upload_statements_len;

/* A new one: all but the outcome is looked at. */
int upload_add(DbTx *tx, const UserKey *key, const Upload *upload, Arena *arena);
/* 0, UPLOAD_E_NONE, or a fault (-EBADMSG: does not open). */
int upload_get(DbTx *tx, const UserKey *key, const Uuid *id, Arena *arena, Upload *ret_upload);
/* Its next epoch, with a lease from `now_us` on: sets both. 0 or UPLOAD_E_BUSY. */
int upload_take(DbTx *tx, const UserKey *key, Upload *upload, int64_t now_us);
/* How far it is and how long it is, with the lease until `lease_us`; 0 gives it back. 0 or
 * UPLOAD_E_LOST. */
int upload_note(DbTx *tx, const UserKey *key, const Upload *upload, int64_t lease_us, Arena *arena);
/* The lease alone. 0 or UPLOAD_E_LOST. */
int upload_renew(DbTx *tx, const UserKey *key, const Upload *upload, int64_t lease_us);
/* What became of it. 0 or UPLOAD_E_LOST. */
int upload_settle(DbTx *tx, const UserKey *key, const Upload *upload, UploadOutcome outcome,
                  const Uuid *photo_id);
/* 0 also when there is none. */
int upload_remove(DbTx *tx, const Uuid *user_id, const Uuid *id);
/* The photo of another upload that says it is half of the same pair. 0 or UPLOAD_E_NONE. */
int upload_other_half(DbTx *tx, const UserKey *key, const Upload *upload, Arena *arena,
                      Uuid *ret_photo_id);
/* Whether that photo came with an upload that says so too. 0 or UPLOAD_E_NONE. */
int upload_is_half(DbTx *tx, const UserKey *key, const Upload *upload, const Uuid *photo_id,
                   Arena *arena);
/* The bytes that the user's files take, and may take with the uploads under way. */
int upload_bytes_used(DbTx *tx, const Uuid *user_id, Arena *arena, uint64_t *ret_bytes);
/* Nobody has one any more: after a start, where no other process can be there. */
int upload_free_leases(DbTx *tx);
