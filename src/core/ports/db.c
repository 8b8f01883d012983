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
