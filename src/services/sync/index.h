/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The projections: tables that say where an object is found, made of its state alone (sync_photo,
 * sync_term, sync_edit). object_put() and object_remove() keep them, and a rebuild calls
 * index_apply() with each object's last state, after it has cleared them.
 *
 * No projections are sync_content and sync_blob (which file is which, and its key), sync_share and
 * sync_library: no event tells of them, and a rebuild leaves them alone.
 *
 * Calls run in a transaction of the caller's.
 */

#include "services/sync/objects.h"

/* Prepares the statements: as db_check(), with the name of a wrong one. */
int index_check(Db *db, const char **reterr_name);

/*
 * Brings all projections in line with this state of an object, or, when object->state is NULL, with
 * that it is no more. Again, it changes nothing. A kind that has none is fine. 0 or a fault.
 */
int index_apply(DbTx *tx, const Library *library, const char *kind, const Object *object);

/* All projections of a user are emptied. 0 or a fault. */
int index_clear(DbTx *tx, const Uuid *user_id);
