/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files of the library as answers: by ranges (RFC 9110, section 14), with a strong ETag, because a
 * stored file never changes; sealed in the store, opened as it is sent.
 */

#include "base/http/server.h"
#include "core/model/blanks.h"
#include "services/sync/blob_store.h"
#include "services/sync/photo/photo_state.h"

typedef enum PhotoFile {
    PHOTO_FILE_ORIGINAL,
    PHOTO_FILE_MEZZANINE,
    PHOTO_FILE_THUMBNAIL,
} PhotoFile;

typedef struct Download {
    const char *media_type; /* by its content: never what somebody claims */
    const char *name;       /* NULL: none is suggested */
    const char *cache_control;
    const Blanks *blanks; /* what of it is not given out; NULL: all is */
} Download;

/* The member of the photo's state that says where the file is: its blob, type, size. NULL: there is
 * none (yet). Borrowed. */
const json_t *photo_file(const json_t *state, PhotoFile file);

/*
 * What is given for an original to who is not to see its metadata: the original with *ret_blanks,
 * or the mezzanine when it is not known where that lies. Whether there is one is photo_file()'s.
 */
PhotoFile photo_file_bare(const json_t *state, Blanks *ret_blanks);

/* The name that goes with it: that of the photo, of a rendition with its own ending; in the arena.
 */
const char *photo_file_name(const json_t *state, PhotoFile file, Arena *arena);

/* "inline; filename=..." (RFC 6266, with RFC 8187 for what is not ASCII), in the arena. */
const char *content_disposition(const char *kind, const char *name, Arena *arena);

/* Whether If-None-Match names that ETag, or is "*" (RFC 9110, section 13.1.2). */
bool is_known_to(HttpRequest *request, const char *etag);

/* Answers with the blob, or a part of it, or 304, 416, or a problem. `executor` reads it; wipes
 * the blob's key. */
void download_respond(HttpRequest *request, Blobs *blobs, Executor *executor, StoredBlob *blob,
                      const Download *download);
