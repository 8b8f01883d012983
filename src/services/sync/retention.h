/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What goes when it is old: states in the log that a later one has replaced, tombstones, answers
 * that were kept for who asks again, devices that were not seen any more. A thread that looks when
 * the server starts and then every few hours; all of it may be done by several servers at once.
 */

#include "services/sync/internal.h"

typedef struct SyncRetention SyncRetention;

/* The statements: as db_check(). */
int retention_check(Db *db, const char **reterr_name);

int retention_start(SyncService *service, SyncRetention **ret_retention);
/* Ends what is under way. Accepts NULL, returns NULL. */
SyncRetention *retention_stop(SyncRetention *retention);
