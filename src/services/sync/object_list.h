/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The objects of a library that are there, in the order of kinds and ids. */

#include "services/sync/cursor.h"
#include "services/sync/objects.h"

extern const DbStatement object_list_statements[];
extern const size_t object_list_statements_len;

/*
 * The rows after the cursor, tombstones too, at most `max`, as the events that they are of; of one
 * kind, or of all when it is NULL. In the arena. 0 or a fault.
 */
int object_list_rows(DbTx *tx, const Library *library, const char *kind, const ObjectCursor *after,
                     size_t max, Event **ret_rows, size_t *ret_n);
void object_cursor_set(ObjectCursor *cursor, const Event *row);

/*
 * At most `max` of those after the cursor, as change_json(), in a new array; of one kind, or of all
 * when it is NULL. As a page looks at `max` rows and at a few megabytes, and leaves tombstones out,
 * it may hold less while *ret_more says that there are more, after *ret_next. 0 or a fault.
 */
int object_list(DbTx *tx, const Library *library, const char *kind, const ObjectCursor *after,
                size_t max, json_t **ret_objects, ObjectCursor *ret_next, bool *ret_more);
