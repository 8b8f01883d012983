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
    PHOTO_E_KNOWN = 1, /* photo_add(): the library has that content, perhaps in the trash: its photo
                          is given; photo_set_trashed() of photo/photos.h takes it out */
    PHOTO_E_NONE,      /* photo_content_find(): that content was never there */
    PHOTO_E_REMOVED,   /* photo_content_find(): it was, and was removed for good */
};

extern const DbStatement photo_add_statements[];
extern const size_t photo_add_statements_len;

/* What stands for a content in the tables. */
void photo_content(const UserKey *key, const uint8_t sha256[32],
                   uint8_t ret_content[LIBRARY_HASH_LEN]);

/* The photo of a content, also from the trash. In a transaction. 0, PHOTO_E_NONE, PHOTO_E_REMOVED,
 * or a fault. */
int photo_content_find(DbTx *tx, const Library *library, const uint8_t content[LIBRARY_HASH_LEN],
                       Object *ret_photo);

/* In a transaction. A content that was removed for good is added anew: whoever sends what it finds
 * by itself, and not because somebody wants it, asks photo_content_find() first. Whoever calls
 * moves the outbox of jobs after the commit. 0, a condition, or a fault. */
int photo_add(DbTx *tx, const Library *library, const PhotoDraft *draft, Object *ret_photo);
