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

static int read_rows(DbTx *tx, const Library *library, const char *kind, const ObjectCursor *after,
                     size_t max, DbRows *ret_rows) {
    const bool begun = after->kind[0] != '\0';
    const DbValue id = DB_BLOB(begun ? uuid_str(&after->id) : str_lit(""));
    int r = db_query(tx, &object_list_statements[kind ? LIST_KIND : LIST_ALL],
                     (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                                 DB_TEXT(str_from(kind ? kind : after->kind)), id, DB_INT(max)},
                     max, library->arena, ret_rows);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int object_list(DbTx *tx, const Library *library, const char *kind, const ObjectCursor *after,
                size_t max, json_t **ret_objects, ObjectCursor *ret_next, bool *ret_more) {
    _cleanup_(json_decrefp) json_t *objects = json_array();
    ObjectCursor at = *after;
    size_t n = 0, bytes = 0;
    bool more = true;

    while (more && n < max && bytes < LIST_BYTES_MAX) {
        size_t wanted = MIN(max - n, (size_t)CHUNK);
        DbRows rows;
        Event event;
        int r = read_rows(tx, library, kind, &at, wanted, &rows);
        if (r < 0) {
            return err_trace(r);
        }
        more = rows.n_rows == wanted;
        for (size_t i = 0; i < rows.n_rows; i++) {
            r = event_of_row(library, db_rows_at(&rows, i, 0), &event);
            if (r < 0) {
                return err_trace(r);
            }
            if (bytes >= LIST_BYTES_MAX) {
                more = true;
                break;
            }
            bytes += event.sealed.len;
            n++;
            memcpy(at.kind, event.kind, strlen(event.kind) + 1);
            at.id = event.object_id;
            if (!event.removed) {
                json_array_append_new(objects, change_json(library, &event));
            }
        }
    }
    *ret_objects = TAKE_PTR(objects);
    *ret_next = at;
    *ret_more = more;
    return 0;
}
