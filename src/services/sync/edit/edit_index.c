/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/edit/edit_index.h"

#include "base/error.h"
#include "services/sync/photo/photo_state.h"

enum {
    EDIT_PUT,
    EDIT_DROP,
    EDIT_LIST,
    _EDIT_STATEMENT_MAX,
};

const DbStatement edit_index_statements[_EDIT_STATEMENT_MAX] = {
    [EDIT_PUT] = {"edit_put",
                  "INSERT INTO sync_edit (user_id, photo_id, edit_id) VALUES (?, ?, ?)"
                  " ON CONFLICT (user_id, photo_id, edit_id) DO NOTHING",
                  3, 0},
    [EDIT_DROP] = {"edit_drop", "DELETE FROM sync_edit WHERE user_id = ? AND edit_id = ?", 2, 0},
    [EDIT_LIST] = {"edit_list",
                   "SELECT edit_id FROM sync_edit WHERE user_id = ? AND photo_id = ?"
                   " ORDER BY edit_id LIMIT ?",
                   3, 1},
};
const size_t edit_index_statements_len = _EDIT_STATEMENT_MAX;

int edit_index_apply(DbTx *tx, const Library *library, const Object *edit) {
    const DbValue user_id = DB_BLOB(uuid_str(&library->key->user_id));
    Uuid photo_id;
    int r;

    if (!edit->state) {
        r = db_exec(tx, &edit_index_statements[EDIT_DROP],
                    (DbValue[]){user_id, DB_BLOB(uuid_str(&edit->id))}, NULL);
    } else if (!state_uuid(edit->state, "photo", &photo_id)) {
        r = -EBADMSG;
    } else {
        r = db_exec(
            tx, &edit_index_statements[EDIT_PUT],
            (DbValue[]){user_id, DB_BLOB(uuid_str(&photo_id)), DB_BLOB(uuid_str(&edit->id))}, NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int edit_index_list(DbTx *tx, const Library *library, const Uuid *photo_id, Uuid **ret_ids,
                    size_t *ret_n) {
    return db_query_ids(tx, &edit_index_statements[EDIT_LIST],
                        (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                                    DB_BLOB(uuid_str(photo_id)), DB_INT(EDITS_MAX)},
                        EDITS_MAX, library->arena, ret_ids, ret_n);
}
