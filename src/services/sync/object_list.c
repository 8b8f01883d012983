/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/object_list.h"

#include "base/error.h"
#include "services/sync/changes.h"

#define LIST_BYTES_MAX ((size_t)4 << 20)
#define CHUNK          100 /* rows read at once, so that large ones do not fill the memory */

enum {
    LIST_ALL,
    LIST_KIND,
    _OBJECT_LIST_STATEMENT_MAX,
};

#define COLUMNS "SELECT kind, object_id, version, seq, removed, changed_us, state_sealed"

const DbStatement object_list_statements[_OBJECT_LIST_STATEMENT_MAX] = {
    [LIST_ALL] = {"object_list_all",
                  COLUMNS " FROM sync_object WHERE user_id = ? AND (kind, object_id) > (?, ?)"
                          " ORDER BY kind, object_id LIMIT ?",
                  4, 7},
    [LIST_KIND] = {"object_list_kind",
                   COLUMNS " FROM sync_object WHERE user_id = ? AND kind = ? AND object_id > ?"
                           " ORDER BY object_id LIMIT ?",
                   4, 7},
};
const size_t object_list_statements_len = _OBJECT_LIST_STATEMENT_MAX;

static int event_of_row(const Library *library, const DbValue *row, Event *ret_event) {
    *ret_event = (Event){.user_id = library->key->user_id,
                         .topic = SYNC_TOPIC,
                         .kind = row[0].bytes.ptr,
                         .version = row[2].integer,
                         .seq = row[3].integer,
                         .removed = row[4].integer != 0,
                         .at_us = row[5].integer,
                         .facts = "",
                         .sealed = row[6].bytes};
    return row[0].bytes.len < CURSOR_KIND_SIZE ? uuid_from_str(row[1].bytes, &ret_event->object_id)
                                               : -EBADMSG;
}

int object_list_rows(DbTx *tx, const Library *library, const char *kind, const ObjectCursor *after,
                     size_t max, Event **ret_rows, size_t *ret_n) {
    const bool begun = after->kind[0] != '\0';
    const DbValue id = DB_BLOB(begun ? uuid_str(&after->id) : str_lit(""));
    DbRows rows;
    Event *events;
    int r = db_query(tx, &object_list_statements[kind ? LIST_KIND : LIST_ALL],
                     (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                                 DB_TEXT(str_from(kind ? kind : after->kind)), id, DB_INT(max)},
                     max, library->arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    events = arena_alloc(library->arena, (rows.n_rows + 1) * sizeof(*events));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = event_of_row(library, db_rows_at(&rows, i, 0), &events[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_rows = events;
    *ret_n = rows.n_rows;
    return 0;
}

void object_cursor_set(ObjectCursor *cursor, const Event *row) {
    memcpy(cursor->kind, row->kind, strlen(row->kind) + 1);
    cursor->id = row->object_id;
}

int object_list(DbTx *tx, const Library *library, const char *kind, const ObjectCursor *after,
                size_t max, json_t **ret_objects, ObjectCursor *ret_next, bool *ret_more) {
    _cleanup_(json_decrefp) json_t *objects = json_array();
    ObjectCursor at = *after;
    size_t n = 0, bytes = 0;
    bool more = true;

    while (more && n < max && bytes < LIST_BYTES_MAX) {
        size_t i, n_rows, wanted = MIN(max - n, (size_t)CHUNK);
        Event *rows;
        int r = object_list_rows(tx, library, kind, &at, wanted, &rows, &n_rows);
        if (r < 0) {
            return err_trace(r);
        }
        for (i = 0; i < n_rows && bytes < LIST_BYTES_MAX; i++) {
            bytes += rows[i].sealed.len;
            object_cursor_set(&at, &rows[i]);
            if (!rows[i].removed) {
                json_array_append_new(objects, change_json(library, &rows[i]));
            }
        }
        n += i;
        more = i < n_rows || n_rows == wanted;
    }
    *ret_objects = TAKE_PTR(objects);
    *ret_next = at;
    *ret_more = more;
    return 0;
}
