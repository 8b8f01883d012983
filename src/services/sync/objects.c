/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/objects.h"

#include "base/error.h"
#include "services/sync/index.h"

enum {
    OBJECT_GET,
    OBJECT_PUT,
    OBJECT_DROP,
    _OBJECT_STATEMENT_MAX,
};

const DbStatement object_statements[_OBJECT_STATEMENT_MAX] = {
    [OBJECT_GET] = {"object_get",
                    "SELECT version, seq, changed_us, state_sealed, removed FROM sync_object"
                    " WHERE user_id = ? AND kind = ? AND object_id = ?",
                    3, 5},
    [OBJECT_PUT] = {"object_put",
                    "INSERT INTO sync_object (user_id, kind, object_id, version, seq, removed,"
                    " changed_us, state_sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (user_id, kind, object_id) DO UPDATE SET"
                    " version = excluded.version, seq = excluded.seq, removed = excluded.removed,"
                    " changed_us = excluded.changed_us, state_sealed = excluded.state_sealed",
                    8, 0},
    [OBJECT_DROP] = {"object_drop",
                     "DELETE FROM sync_object WHERE user_id = ? AND kind = ? AND object_id = ?", 3,
                     0},
};
const size_t object_statements_len = _OBJECT_STATEMENT_MAX;

void object_done(Object *object) {
    json_decref(object->state);
    object->state = NULL;
}

/* The same in the event and in the row, and of one version of one object alone. */
static Str place_of(const char *kind, const Uuid *id, int64_t version, Arena *arena) {
    char text[UUID_TEXT_SIZE];

    uuid_text(id, text);
    return str_from(arena_printf(arena, "%s/%s/%lld", kind, text, (long long)version));
}

static const char state_column[] = "sync_object.state";

static int open_state(const Library *library, const char *kind, Str sealed, Object *object) {
    Str text;
    int r = column_open(library->key, state_column,
                        place_of(kind, &object->id, object->version, library->arena), sealed,
                        library->arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    object->state = json_loadb(text.ptr, text.len, 0, NULL);
    return object->state ? 0 : err_trace(-EBADMSG);
}

int object_get(DbTx *tx, const Library *library, const char *kind, const Uuid *id,
               Object *ret_object) {
    const DbValue *row;
    Object object = {.id = *id};
    int r = db_query_one(tx, &object_statements[OBJECT_GET],
                         (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                                     DB_TEXT(str_from(kind)), DB_BLOB(uuid_str(id))},
                         library->arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? OBJECT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    object.version = row[0].integer;
    object.seq = row[1].integer;
    object.changed_us = row[2].integer;
    if (row[4].integer) {
        *ret_object = object;
        return OBJECT_E_REMOVED;
    }
    r = open_state(library, kind, row[3].bytes, &object);
    if (r == 0) {
        *ret_object = object;
    }
    return err_trace(r);
}

int object_put_row(DbTx *tx, const Event *event) {
    int r = db_exec(tx, &object_statements[OBJECT_PUT],
                    (DbValue[]){DB_BLOB(uuid_str(&event->user_id)), DB_TEXT(str_from(event->kind)),
                                DB_BLOB(uuid_str(&event->object_id)), DB_INT(event->version),
                                DB_INT(event->seq), DB_INT(event->removed), DB_INT(event->at_us),
                                DB_BLOB(event->sealed)},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int object_compare_row(DbTx *tx, const Event *event, Arena *arena, ObjectRow *ret_row) {
    const DbValue *row;
    bool is_same;
    int r =
        db_query_one(tx, &object_statements[OBJECT_GET],
                     (DbValue[]){DB_BLOB(uuid_str(&event->user_id)), DB_TEXT(str_from(event->kind)),
                                 DB_BLOB(uuid_str(&event->object_id))},
                     arena, &row);

    if (r == DB_E_NONE) {
        *ret_row = OBJECT_ROW_NONE;
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    is_same = row[0].integer == event->version && (row[4].integer != 0) == event->removed &&
              row[2].integer == event->at_us && str_equal(row[3].bytes, event->sealed);
    *ret_row = row[1].integer < event->seq   ? OBJECT_ROW_EARLIER
               : row[1].integer > event->seq ? OBJECT_ROW_LATER
               : is_same                     ? OBJECT_ROW_SAME
                                             : OBJECT_ROW_OTHER;
    return 0;
}

int object_drop_row(DbTx *tx, const Uuid *user_id, const char *kind, const Uuid *id) {
    int r = db_exec(
        tx, &object_statements[OBJECT_DROP],
        (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(kind)), DB_BLOB(uuid_str(id))},
        NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* The event, and the row that it comes to. */
static int write_event(DbTx *tx, Event *event, Arena *arena) {
    int r = event_log_append(tx, event, arena);

    return r < 0 ? err_trace(r) : object_put_row(tx, event);
}

static Event event_of(const Library *library, const char *kind, const Uuid *id, int64_t version) {
    return (Event){.user_id = library->key->user_id,
                   .topic = SYNC_TOPIC,
                   .kind = kind,
                   .object_id = *id,
                   .version = version,
                   .device_id = library->device_id,
                   .at_us = library->now_us,
                   .facts = ""};
}

int object_put(DbTx *tx, const Library *library, const char *kind, const Uuid *id, int64_t version,
               const json_t *state, Object *ret_object) {
    _cleanup_(freep) char *text = json_dumps(state, JSON_COMPACT | JSON_SORT_KEYS);
    Event event = event_of(library, kind, id, version + 1);
    Object object;
    int r;

    if (strlen(text) > OBJECT_STATE_MAX) {
        return err_trace(-E2BIG);
    }
    event.sealed =
        column_seal(library->key, state_column, place_of(kind, id, event.version, library->arena),
                    str_from(text), library->arena);
    r = write_event(tx, &event, library->arena);
    if (r < 0) {
        return err_trace(r);
    }
    object = (Object){*id, event.version, event.seq, event.at_us, (json_t *)state};
    r = index_apply(tx, library, kind, &object);
    if (r < 0) {
        return err_trace(r);
    }
    json_incref(object.state);
    *ret_object = object;
    return 0;
}

int object_remove(DbTx *tx, const Library *library, const char *kind, const Uuid *id,
                  int64_t version, Object *ret_object) {
    Event event = event_of(library, kind, id, version + 1);
    Object object;
    int r;

    event.removed = true;
    r = write_event(tx, &event, library->arena);
    if (r < 0) {
        return err_trace(r);
    }
    object = (Object){*id, event.version, event.seq, event.at_us, NULL};
    r = index_apply(tx, library, kind, &object);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_object = object;
    return 0;
}

int object_of_row(const Library *library, const char *kind, const Uuid *id, const DbValue row[4],
                  Object *ret_object) {
    Object object = {*id, row[0].integer, row[1].integer, row[2].integer, NULL};
    int r = open_state(library, kind, row[3].bytes, &object);

    if (r == 0) {
        *ret_object = object;
    }
    return err_trace(r);
}

int object_of_event(const Library *library, const Event *event, Object *ret_object) {
    Object object = {event->object_id, event->version, event->seq, event->at_us, NULL};
    int r = open_state(library, event->kind, event->sealed, &object);

    if (r == 0) {
        *ret_object = object;
    }
    return err_trace(r);
}

json_t *object_json(const char *kind, const Object *object) {
    char id[UUID_TEXT_SIZE];
    json_t *json;

    uuid_text(&object->id, id);
    json = json_pack("{s:s,s:s,s:I,s:I,s:I}", "kind", kind, "id", id, "version",
                     (json_int_t)object->version, "seq", (json_int_t)object->seq, "changed",
                     (json_int_t)(object->changed_us / 1000));
    if (object->state) {
        json_object_set(json, "state", object->state);
    } else {
        json_object_set_new(json, "removed", json_true());
    }
    return json;
}
