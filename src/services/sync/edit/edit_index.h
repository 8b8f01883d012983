/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table sync_edit: which edits a photo has. Calls run in a transaction of the caller's. */

#include "services/sync/objects.h"

#define EDITS_MAX 1000 /* of a photo */

/* The statements, for db_check(). */
extern const DbStatement edit_index_statements[];
extern const size_t edit_index_statements_len;

/* See index_apply(). */
int edit_index_apply(DbTx *tx, const Library *library, const Object *edit);

/* See index_differs(). */
int edit_index_differs(DbTx *tx, const Library *library, const Object *edit, bool *ret_differs);

/* The ids of a photo's edits, oldest first, at most EDITS_MAX; in the arena. */
int edit_index_list(DbTx *tx, const Library *library, const Uuid *photo_id, Uuid **ret_ids,
                    size_t *ret_n);
