/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/db.h"

#include "base/error.h"

int db_token_parse(Str text, DbToken *ret_token) {
    static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "/_-";

    if (text.len > DB_TOKEN_LEN_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || !strchr(allowed, text.ptr[i])) {
            return -EINVAL;
        }
    }
    *ret_token = (DbToken){0};
    if (text.len > 0) {
        memcpy(ret_token->text, text.ptr, text.len);
    }
    return 0;
}

int db_query_one(DbTx *tx, const DbStatement *statement, const DbValue *params, Arena *arena,
                 const DbValue **ret_row) {
    DbRows rows;
    int r = db_query(tx, statement, params, 1, arena, &rows);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (rows.n_rows == 0) {
        return DB_E_NONE;
    }
    *ret_row = rows.values;
    return 0;
}

int db_query_ids(DbTx *tx, const DbStatement *statement, const DbValue *params, size_t rows_max,
                 Arena *arena, Uuid **ret_ids, size_t *ret_n) {
    DbRows rows;
    Uuid *ids;
    int r = db_query(tx, statement, params, rows_max, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    ids = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*ids));
    for (size_t i = 0; i < rows.n_rows; i++) {
        if (uuid_from_str(db_rows_at(&rows, i, 0)->bytes, &ids[i]) < 0) {
            return err_trace(-EBADMSG);
        }
    }
    *ret_ids = ids;
    *ret_n = rows.n_rows;
    return 0;
}
