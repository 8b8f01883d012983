/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the user service may ask of the sync service: all that is kept in somebody's library, as
 * files, for the copy of one's data (docs/decisions/0019). Nothing is remembered between calls, so
 * a client over HTTP can take the place of the service, and a process that dies loses nothing.
 *
 * Calls block. Thread-safe.
 */

#include "base/json.h"
#include "base/uuid.h"

/* Where one is in the list of files: what the call before gave. "": before the first. */
#define LIBRARY_COPY_AT_MAX  160
#define LIBRARY_COPY_LEN_MAX ((size_t)1 << 20) /* bytes that are read at once */

typedef struct LibraryFile {
    const char *at;   /* what names this one, and leads on to the next */
    const char *name; /* UTF-8, with slashes, each once */
    uint64_t at_s;    /* its date, in seconds since 1970 */
    uint64_t size;
    Str text; /* the whole of it; ptr NULL: library_copy_read() has it */
} LibraryFile;

enum {
    LIBRARY_COPY_E_END = 1,    /* next(): there is no more, or no such user */
    LIBRARY_COPY_E_UNREADABLE, /* read(): it is gone, or the store does not have it whole */
};

typedef struct LibraryCopy LibraryCopy;

struct LibraryCopy {
    const struct LibraryCopyImpl *impl;
};

typedef struct LibraryCopyImpl {
    int (*next)(LibraryCopy *self, const Uuid *user_id, const char *at, Arena *arena,
                LibraryFile *ret_file);
    int (*read)(LibraryCopy *self, const Uuid *user_id, const char *at, uint64_t offset,
                void *ret_bytes, size_t len);
} LibraryCopyImpl;

/* The file after `at`, in the arena. 0, LIBRARY_COPY_E_END, -EINVAL: there is no such place; or a
 * fault. */
static inline int library_copy_next(LibraryCopy *self, const Uuid *user_id, const char *at,
                                    Arena *arena, LibraryFile *ret_file) {
    return self->impl->next(self, user_id, at, arena, ret_file);
}

/* `len` (1..LIBRARY_COPY_LEN_MAX) bytes within the file from `offset` on. 0,
 * LIBRARY_COPY_E_UNREADABLE, or as above. */
static inline int library_copy_read(LibraryCopy *self, const Uuid *user_id, const char *at,
                                    uint64_t offset, void *ret_bytes, size_t len) {
    return self->impl->read(self, user_id, at, offset, ret_bytes, len);
}

/*
 * The same between processes: POST of a LibraryCopyQuestion to one of these addresses of the sync
 * service, with a service token. What was asked is answered with 200: a LibraryCopyAnswer as JSON,
 * and by the second the bytes; 204 says LIBRARY_COPY_E_END and LIBRARY_COPY_E_UNREADABLE.
 */
#define LIBRARY_COPY_PREFIX "/internal/v1/library-copy/"
#define LIBRARY_COPY_NEXT   LIBRARY_COPY_PREFIX "next"
#define LIBRARY_COPY_READ   LIBRARY_COPY_PREFIX "read"

#define LIBRARY_COPY_TEXT_MAX ((size_t)32 << 20)

typedef struct LibraryCopyQuestion {
    const char *user_id, *at;
    uint64_t offset, len; /* of the second */
} LibraryCopyQuestion;
extern const JsonField library_copy_question_fields[];

typedef struct LibraryCopyAnswer {
    const char *at, *name, *text; /* text NULL: ask for the bytes */
    uint64_t at_s, size;
} LibraryCopyAnswer;
extern const JsonField library_copy_answer_fields[];
