/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where a device is: in the log, and within the list of all objects. */

#include "services/sync/call.h"

#define CURSOR_KIND_SIZE 41

/* The object that was listed last, and how far the log went when the list was begun. */
typedef struct ObjectCursor {
    int64_t seq;
    char kind[CURSOR_KIND_SIZE]; /* "": at the beginning */
    Uuid id;
} ObjectCursor;

/* "SEQ.KIND.ID"; 0, or -EINVAL: not of that form. */
int cursor_parse(Str text, ObjectCursor *ret_cursor);
const char *cursor_text(const ObjectCursor *cursor, Arena *arena);

/* Where the parameters `after` and `limit` (of 1..max) have a list begin, and how long it is to be.
 */
SyncFailure cursor_of_query(SyncCall *call, size_t usual, size_t max, ObjectCursor *ret_after,
                            size_t *ret_limit);

/* The 410 that tells a device to read everything anew. */
SyncFailure cursor_too_old(SyncCall *call, int64_t horizon);
