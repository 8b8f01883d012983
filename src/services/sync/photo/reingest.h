/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Photos whose files an earlier version has looked into are looked into again, once, for what was
 * not read of them then: by the jobs "reingest", which come after all others and are put some at a
 * time, by one of the processes that share the database. What comes of it is added to a photo's
 * state (photo_learn.h). A file that cannot be read leaves it as it is, and is not asked again by
 * the same version.
 */

#include "services/sync/objects.h"

/* One more whenever an ingest learns what devices or links should know of older photos too. */
#define INGEST_VERSION     1
#define PHOTO_JOB_REINGEST "reingest"

extern const DbStatement reingest_statements[];
extern const size_t reingest_statements_len;

/* This version has looked into it. In a transaction. 0 or a fault. */
int reingest_looked(DbTx *tx, const Uuid *user_id, const Uuid *photo_id);
/* The photo is no more. In a transaction. 0 or a fault. */
int reingest_forget(DbTx *tx, const Uuid *user_id, const Uuid *photo_id);

/* Puts jobs for at most REINGEST_AT_ONCE photos, unless somebody did within the last
 * reingest-every-s. They count as looked into from then on, in the same transaction as their jobs
 * are put, so that none is lost and none comes twice. Blocks. 0 or a fault. */
#define REINGEST_AT_ONCE 100
int reingest_some(SyncService *service);
