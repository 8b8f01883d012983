/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Makes what a library's log comes to (sync_object, the projections of services/sync/index.h) again
 * from the log, and counts its files again (usage.h). Object by object: what is as the log says
 * stays, what is not is written anew, and what no event is of goes. A transaction looks at some
 * hundred events, so nobody waits longer than for these, and memory does not depend on the library.
 *
 * A server may run meanwhile: each object is right from its batch on, and its next change keeps it
 * so. One that is ended midway has made right what it came to; run it again.
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
