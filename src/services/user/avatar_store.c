/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/avatar_store.h"

#include "base/error.h"

enum {
    AVATAR_GET,
    AVATAR_PUT,
    AVATAR_REMOVE,
    _AVATAR_STATEMENT_MAX,
};

const DbStatement avatar_statements[_AVATAR_STATEMENT_MAX] = {
    [AVATAR_GET] = {"avatar_get",
                    "SELECT version, image_sealed FROM user_avatar "
                    "WHERE user_id = ? AND image_sealed IS NOT NULL",
                    1, 2},
    [AVATAR_PUT] = {"avatar_put",
                    "INSERT INTO user_avatar (user_id, version, image_sealed, created_us) "
                    "VALUES (?, 1, ?, ?) ON CONFLICT (user_id) DO UPDATE SET "
                    "version = user_avatar.version + 1, image_sealed = excluded.image_sealed, "
                    "created_us = excluded.created_us",
                    3, 0},
    [AVATAR_REMOVE] = {"avatar_remove",
                       "UPDATE user_avatar SET version = version + 1, image_sealed = NULL, "
                       "created_us = ? WHERE user_id = ? AND image_sealed IS NOT NULL",
                       2, 0},
};
const size_t avatar_statements_len = _AVATAR_STATEMENT_MAX;

#define COLUMN "user_avatar.image"

int avatar_store_get(DbTx *tx, const UserKey *key, Arena *arena, Avatar *ret_avatar) {
    const DbValue params[] = {DB_BLOB(uuid_str(&key->user_id))};
    const DbValue *row;
    Avatar avatar;
    int r = db_query_one(tx, &avatar_statements[AVATAR_GET], params, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? AVATAR_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    avatar.version = row[0].integer;
    r = column_open(key, COLUMN, (Str){0}, row[1].bytes, arena, &avatar.image);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    *ret_avatar = avatar;
    return 0;
}

/* Neither statement has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &avatar_statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int avatar_store_put(DbTx *tx, const UserKey *key, Str image, int64_t now_us, Arena *arena) {
    return run(tx, AVATAR_PUT,
               (DbValue[]){DB_BLOB(uuid_str(&key->user_id)),
                           DB_BLOB(column_seal(key, COLUMN, (Str){0}, image, arena)),
                           DB_INT(now_us)});
}

int avatar_store_remove(DbTx *tx, const Uuid *user_id, int64_t now_us) {
    return run(tx, AVATAR_REMOVE, (DbValue[]){DB_INT(now_us), DB_BLOB(uuid_str(user_id))});
}
