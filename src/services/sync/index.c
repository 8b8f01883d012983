/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/index.h"

#include "base/error.h"
#include "services/sync/edit/edit_index.h"
#include "services/sync/photo/photo_index.h"

#define STRAYS(column, table, kind)                                                                \
    "SELECT " column " FROM (SELECT DISTINCT " column " FROM " table                               \
    " WHERE user_id = ?) AS found"                                                                 \
    " WHERE NOT EXISTS (SELECT 1 FROM sync_object o WHERE o.user_id = ? AND o.kind = '" kind "'"   \
    " AND o.object_id = found." column " AND o.removed = 0) LIMIT ?"

static const DbStatement stray_statements[] = {
    {"stray_photos", STRAYS("photo_id", "sync_photo", OBJECT_PHOTO), 3, 1},
    {"stray_terms", STRAYS("photo_id", "sync_term", OBJECT_PHOTO), 3, 1},
    {"stray_edits", STRAYS("edit_id", "sync_edit", OBJECT_EDIT), 3, 1},
};
static const char *const stray_kinds[] = {OBJECT_PHOTO, OBJECT_PHOTO, OBJECT_EDIT};
_Static_assert(ARRAY_LEN(stray_statements) == ARRAY_LEN(stray_kinds), "one each");

int index_check(Db *db, const char **reterr_name) {
    int r = db_check(db, stray_statements, ARRAY_LEN(stray_statements), reterr_name);

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

int index_drop(DbTx *tx, const Library *library, const char *kind, const Uuid *id) {
    return err_trace(index_apply(tx, library, kind, &(Object){.id = *id}));
}

int index_differs(DbTx *tx, const Library *library, const char *kind, const Object *object,
                  bool *ret_differs) {
    if (strcmp(kind, OBJECT_PHOTO) == 0) {
        return err_trace(photo_index_differs(tx, library, object, ret_differs));
    }
    if (strcmp(kind, OBJECT_EDIT) == 0) {
        return err_trace(edit_index_differs(tx, library, object, ret_differs));
    }
    *ret_differs = false;
    return 0;
}

static int add_strays(DbTx *tx, const Library *library, size_t table, size_t max,
                      IndexStray *strays, size_t *n) {
    const DbValue user_id = DB_BLOB(uuid_str(&library->key->user_id));
    DbRows rows;
    int r = db_query(tx, &stray_statements[table], (DbValue[]){user_id, user_id, DB_INT(max - *n)},
                     max - *n, library->arena, &rows);

    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        strays[*n].kind = stray_kinds[table];
        r = uuid_from_str(db_rows_at(&rows, i, 0)->bytes, &strays[*n].id);
        (*n)++;
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int index_strays(DbTx *tx, const Library *library, size_t max, IndexStray **ret_strays,
                 size_t *ret_n) {
    IndexStray *strays = arena_alloc(library->arena, max * sizeof(*strays));
    size_t n = 0;
    int r = 0;

    for (size_t table = 0; r == 0 && n < max && table < ARRAY_LEN(stray_statements); table++) {
        r = add_strays(tx, library, table, max, strays, &n);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_strays = strays;
    *ret_n = n;
    return 0;
}
