/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Throws away what a library's log comes to (sync_object and the projections of
 * services/sync/index.h) and makes it again from the log. In one transaction a library: whoever
 * reads sees what was there before or all that is there after, and one that is ended midway has
 * changed nothing. Whoever writes to that library waits meanwhile.
 */

#include "services/sync/objects.h"

typedef struct RebuildResult {
    uint64_t n_events, n_objects; /* objects: that are there, tombstones not among them */
    uint64_t n_unreadable;        /* objects whose state does not open: in no projection */
} RebuildResult;

/* Called for each object that does not open, perhaps twice when the transaction is run again. */
typedef void RebuildUnreadable(const Event *object, void *userdata);

/* The statements: as db_check(). */
int rebuild_check(Db *db, const char **reterr_name);

/* The library that the key opens. 0 or a fault. */
int rebuild_library(Db *db, const UserKey *key, RebuildUnreadable *unreadable, void *userdata,
                    RebuildResult *ret_result);

/* The users who have a log, in the order of their ids, after that one (nil: all); at most
 * REBUILD_USERS_MAX. */
#define REBUILD_USERS_MAX 100
int rebuild_users(DbTx *tx, const Uuid *after, Arena *arena, Uuid **ret_users, size_t *ret_n);
