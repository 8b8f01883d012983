/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/index.h"

#include "base/error.h"
#include "services/sync/edit/edit_index.h"
#include "services/sync/photo/photo_index.h"

enum {
    CLEAR_PHOTOS,
    CLEAR_TERMS,
    CLEAR_EDITS,
    _CLEAR_STATEMENT_MAX,
};

static const DbStatement clear_statements[_CLEAR_STATEMENT_MAX] = {
    [CLEAR_PHOTOS] = {"clear_photos", "DELETE FROM sync_photo WHERE user_id = ?", 1, 0},
    [CLEAR_TERMS] = {"clear_terms", "DELETE FROM sync_term WHERE user_id = ?", 1, 0},
    [CLEAR_EDITS] = {"clear_edits", "DELETE FROM sync_edit WHERE user_id = ?", 1, 0},
};

int index_check(Db *db, const char **reterr_name) {
    int r = db_check(db, clear_statements, _CLEAR_STATEMENT_MAX, reterr_name);

    if (r == 0) {
        r = db_check(db, photo_index_statements, photo_index_statements_len, reterr_name);
    }
    if (r == 0) {
        r = db_check(db, edit_index_statements, edit_index_statements_len, reterr_name);
    }
    return err_trace(r);
}

int index_apply(DbTx *tx, const Library *library, const char *kind, const Object *object) {
    if (strcmp(kind, OBJECT_PHOTO) == 0) {
        return err_trace(photo_index_apply(tx, library, object));
    }
    if (strcmp(kind, OBJECT_EDIT) == 0) {
        return err_trace(edit_index_apply(tx, library, object));
    }
    return 0;
}

int index_clear(DbTx *tx, const Uuid *user_id) {
    const DbValue id = DB_BLOB(uuid_str(user_id));

    for (size_t i = 0; i < _CLEAR_STATEMENT_MAX; i++) {
        int r = db_exec(tx, &clear_statements[i], &id, NULL);
        if (r != 0) {
            return err_trace(r < 0 ? r : -EIO);
        }
    }
    return 0;
}
