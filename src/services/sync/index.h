/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The projections: tables that say where an object is found, made of its state alone (sync_photo,
 * sync_term, sync_edit). object_put() and object_remove() keep them; a check compares them with
 * each object's last state, and a rebuild makes those that differ again.
 *
 * No projections are sync_content and sync_blob (which file is which, and its key), sync_ingest,
 * sync_share and sync_library: no event tells of them, and a rebuild leaves them alone. (sync_usage
 * counts what is in tables that are no projections: usage.h.)
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

/* All that they say of an object goes. 0 or a fault. */
int index_drop(DbTx *tx, const Library *library, const char *kind, const Uuid *id);

/* Whether they say anything else of an object that is there than index_apply() would write where
 * there was nothing of it. 0 or a fault. */
int index_differs(DbTx *tx, const Library *library, const char *kind, const Object *object,
                  bool *ret_differs);

/* Objects that they know and that are not there: at most `max` (1 or more), in the arena; one may
 * come several times. 0 or a fault. */
typedef struct IndexStray {
    const char *kind;
    Uuid id;
} IndexStray;
int index_strays(DbTx *tx, const Library *library, size_t max, IndexStray **ret_strays,
                 size_t *ret_n);
