/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The objects of a library: photos, albums, edits. Each has a kind, an id, a version and a state in
 * JSON. A change writes the next event of the user's log, with the whole new state, and the row of
 * the table sync_object, which is what the log comes to and is made again from it by a rebuild, as
 * are the projections (index.h), which follow each change. An
 * object that is removed leaves a tombstone in both, so that nothing of its id comes back.
 *
 * Calls run in a transaction of the caller's. JSON that is given is borrowed, that is returned is a
 * new reference.
 */

#include "core/events/event_log.h"
#include "services/sync/internal.h"

#include <jansson.h>

#define OBJECT_PHOTO     "photo"
#define OBJECT_EDIT      "edit"
#define OBJECT_ALBUM     "album"
#define OBJECT_STATE_MAX ((size_t)256 << 10) /* bytes of its JSON */

enum {
    OBJECT_E_NONE = 1,
    OBJECT_E_REMOVED, /* object_get(): it was; all but the state is given */
};

/* The statements, for db_check(). */
extern const DbStatement object_statements[];
extern const size_t object_statements_len;

/* Whose objects, who changes them, and when. */
typedef struct Library {
    const UserKey *key; /* key->user_id is whose it is */
    Uuid device_id;     /* nil: the service itself */
    int64_t now_us;
    Arena *arena;
} Library;

typedef struct Object {
    Uuid id;
    int64_t version, seq, changed_us;
    json_t *state;
} Object;
void object_done(Object *object); /* gives the state back */

/* 0, a condition, or a fault (-EBADMSG: does not open). */
int object_get(DbTx *tx, const Library *library, const char *kind, const Uuid *id,
               Object *ret_object);

/* Of version 1 when `version` is 0, else one more than `version`, which the caller has just read.
 * 0; -E2BIG: the state is too long; or a fault. */
int object_put(DbTx *tx, const Library *library, const char *kind, const Uuid *id, int64_t version,
               const json_t *state, Object *ret_object);

/* Writes the tombstone. */
int object_remove(DbTx *tx, const Library *library, const char *kind, const Uuid *id,
                  int64_t version, Object *ret_object);

/* Opens a row of sync_object that is no tombstone: version, seq, changed_us, state_sealed, which
 * somebody has read together with others. The arena is the library's. */
int object_of_row(const Library *library, const char *kind, const Uuid *id, const DbValue row[4],
                  Object *ret_object);

/* The row that an event comes to, when it is the object's last: for a rebuild. 0 or a fault. */
int object_put_row(DbTx *tx, const Event *event);

/* What the row of an event's object is to that event. */
typedef enum ObjectRow {
    OBJECT_ROW_SAME,
    OBJECT_ROW_OTHER, /* of it, and not what it says */
    OBJECT_ROW_EARLIER,
    OBJECT_ROW_LATER, /* of an event after it */
    OBJECT_ROW_NONE,
} ObjectRow;
int object_compare_row(DbTx *tx, const Event *event, Arena *arena, ObjectRow *ret_row);

/* The row goes, without a word to anybody: for one that no event is of. 0 or a fault. */
int object_drop_row(DbTx *tx, const Uuid *user_id, const char *kind, const Uuid *id);

/* Opens the state of an event that is no tombstone. */
int object_of_event(const Library *library, const Event *event, Object *ret_object);

/* {"kind", "id", "version", "seq", "changed", "state"}; without a state: "removed": true. */
json_t *object_json(const char *kind, const Object *object);
