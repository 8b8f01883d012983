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

/* Where a device is in the log: "SEQ.EPOCH", or the number alone, which is taken to be of ours. */
typedef struct LogCursor {
    int64_t seq;
    bool elsewhere; /* of another epoch */
} LogCursor;

/* 0, or -EINVAL: not of that form. */
int log_cursor_parse(const SyncService *service, Str text, LogCursor *ret_cursor);
const char *log_cursor_text(const SyncService *service, int64_t seq, Arena *arena);
/* The parameter `since`, once; all zero without one. */
SyncFailure log_cursor_of_query(SyncCall *call, LogCursor *ret_cursor);

/*
 * The 410 that tells a device to read everything anew; restored: what it has seen is not in this
 * log, which was restored from a backup.
 */
SyncFailure cursor_too_old(SyncCall *call, int64_t horizon, bool restored);
