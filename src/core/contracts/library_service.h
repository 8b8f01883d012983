/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the user service may ask of the sync service: all that is kept in somebody's library, as
 * files, for the copy of one's data (docs/decisions/0019); and that it be erased (0020). Nothing is
 * remembered between calls, so a client over HTTP can take the place of the service, and a process
 * that dies loses nothing.
 *
 * Calls block. Thread-safe.
 */

#include "base/json.h"
#include "base/uuid.h"

/* Where one is in the list of files: what the call before gave. "": before the first. */
#define LIBRARY_SERVICE_AT_MAX  160
#define LIBRARY_SERVICE_LEN_MAX ((size_t)1 << 20) /* bytes that are read at once */

typedef struct LibraryFile {
    const char *at;   /* what names this one, and leads on to the next */
    const char *name; /* UTF-8, with slashes, each once */
    uint64_t at_s;    /* its date, in seconds since 1970 */
    uint64_t size;
    Str text; /* the whole of it; ptr NULL: library_service_read() has it */
} LibraryFile;

enum {
    LIBRARY_SERVICE_E_END = 1,    /* next(): there is no more, or no such user */
    LIBRARY_SERVICE_E_UNREADABLE, /* read(): it is gone, or the store does not have it whole */
    LIBRARY_SERVICE_E_MORE,       /* erase(): call it again */
};

typedef struct LibraryService LibraryService;

struct LibraryService {
    const struct LibraryServiceImpl *impl;
};

typedef struct LibraryServiceImpl {
    int (*next)(LibraryService *self, const Uuid *user_id, const char *at, Arena *arena,
                LibraryFile *ret_file);
    int (*read)(LibraryService *self, const Uuid *user_id, const char *at, uint64_t offset,
                void *ret_bytes, size_t len);
    int (*erase)(LibraryService *self, const Uuid *user_id, json_t *rows);
} LibraryServiceImpl;

/* The file after `at`, in the arena. 0, LIBRARY_SERVICE_E_END, -EINVAL: there is no such place; or
 * a fault. */
static inline int library_service_next(LibraryService *self, const Uuid *user_id, const char *at,
                                       Arena *arena, LibraryFile *ret_file) {
    return self->impl->next(self, user_id, at, arena, ret_file);
}

/* `len` (1..LIBRARY_SERVICE_LEN_MAX) bytes within the file from `offset` on. 0,
 * LIBRARY_SERVICE_E_UNREADABLE, or as above. */
static inline int library_service_read(LibraryService *self, const Uuid *user_id, const char *at,
                                       uint64_t offset, void *ret_bytes, size_t len) {
    return self->impl->read(self, user_id, at, offset, ret_bytes, len);
}

/*
 * All that the library's service has of that user in tables and in the queue, in transactions of
 * their own, for a few seconds; then LIBRARY_SERVICE_E_MORE. 0: nothing is left, nor was there when
 * it was erased before. Files in the store are nobody's then, and go in their time. Only of a user
 * who cannot come back: no session may be open, and nobody can sign in.
 * `rows` is added to: how many of each table, {"sync_photo": 12, ...}. After a fault what went
 * may be missing there.
 */
static inline int library_service_erase(LibraryService *self, const Uuid *user_id, json_t *rows) {
    return self->impl->erase(self, user_id, rows);
}

/*
 * The same between processes: POST of a LibraryServiceQuestion to one of these addresses of the
 * sync service, with a service token. What was asked is answered with 200: a LibraryServiceAnswer
 * as JSON; the bytes; and {"more": BOOL, "rows": {NAME: NUMBER, ...}}. 204 says
 * LIBRARY_SERVICE_E_END and LIBRARY_SERVICE_E_UNREADABLE.
 */
#define LIBRARY_SERVICE_PREFIX "/internal/v1/library/"
#define LIBRARY_SERVICE_NEXT   LIBRARY_SERVICE_PREFIX "next"
#define LIBRARY_SERVICE_READ   LIBRARY_SERVICE_PREFIX "read"
#define LIBRARY_SERVICE_ERASE  LIBRARY_SERVICE_PREFIX "erase"

#define LIBRARY_SERVICE_TEXT_MAX ((size_t)32 << 20)

typedef struct LibraryServiceQuestion {
    const char *user_id, *at; /* `at` of the first two */
    uint64_t offset, len;     /* of the second */
} LibraryServiceQuestion;
extern const JsonField library_service_question_fields[];

typedef struct LibraryServiceAnswer {
    const char *at, *name, *text; /* text NULL: ask for the bytes */
    uint64_t at_s, size;
} LibraryServiceAnswer;
extern const JsonField library_service_answer_fields[];
