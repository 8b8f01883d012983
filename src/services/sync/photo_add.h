/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A file that has arrived becomes a photo of the library: with what is known of it before anything
 * has looked into it, and the job "ingest", which reads it and fills in the rest.
 */

#include "services/sync/objects.h"

#define PHOTO_JOB_INGEST "ingest"

typedef struct PhotoDraft {
    Uuid id; /* the photo's, new */
    Uuid blob_id;
    uint8_t content[LIBRARY_HASH_LEN]; /* photo_content() of the file's SHA-256 */
    uint64_t size;
    const char *name;       /* as the device has it, without a path; UTF-8 */
    const char *media_type; /* by its content */
} PhotoDraft;

enum {
    PHOTO_E_KNOWN = 1, /* photo_add(): the library has that content: its photo is given */
    PHOTO_E_NONE,      /* photo_content_find(): the library never had it */
    PHOTO_E_REMOVED,   /* likewise: it had, and the photo is no more; without its state */
};

extern const DbStatement photo_add_statements[];
extern const size_t photo_add_statements_len;

/* What stands for a content in the tables. */
void photo_content(const UserKey *key, const uint8_t sha256[32],
                   uint8_t ret_content[LIBRARY_HASH_LEN]);

/* The photo of that content, also one in the trash. 0, NONE, REMOVED or a fault. */
int photo_content_find(DbTx *tx, const Library *library,
                       const uint8_t content[LIBRARY_HASH_LEN], Object *ret_photo);

/* In a transaction. Whoever calls moves the outbox of jobs after the commit. A content whose photo
 * is no more gets the new one. 0, KNOWN, or a fault. */
int photo_add(DbTx *tx, const Library *library, const PhotoDraft *draft, Object *ret_photo);
