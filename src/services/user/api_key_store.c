/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/api_key_store.h"

#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "services/user/account_store.h"

enum {
    API_KEY_ADD,
    API_KEY_GET,
    API_KEY_LIST,
    API_KEY_IDS,
    API_KEY_USED,
    API_KEY_REMOVE,
    _API_KEY_STATEMENT_MAX,
};

const DbStatement api_key_statements[_API_KEY_STATEMENT_MAX] = {
    [API_KEY_ADD] = {"api_key_add",
                     "INSERT INTO user_api_key (user_id, key_id, secret_hash, hint, name_sealed, "
                     "scopes, created_us, expires_us, used_us) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                     8, 0},
    [API_KEY_GET] = {"api_key_get",
                     "SELECT k.secret_hash, k.scopes, k.created_us, k.expires_us, k.used_us, "
                     "a.status FROM user_api_key k JOIN user_account a ON a.user_id = k.user_id "
                     "WHERE k.user_id = ? AND k.key_id = ?",
                     2, 6},
    [API_KEY_LIST] = {"api_key_list",
                      "SELECT key_id, hint, name_sealed, scopes, created_us, expires_us, used_us "
                      "FROM user_api_key WHERE user_id = ? ORDER BY key_id DESC LIMIT ?",
                      2, 7},
    [API_KEY_IDS] = {"api_key_ids", "SELECT key_id FROM user_api_key WHERE user_id = ? LIMIT ?", 2,
                     1},
    [API_KEY_USED] = {"api_key_used",
                      "UPDATE user_api_key SET used_us = ? WHERE user_id = ? AND key_id = ?", 3, 0},
    [API_KEY_REMOVE] = {"api_key_remove",
                        "DELETE FROM user_api_key WHERE user_id = ? AND key_id = ?", 2, 0},
};
const size_t api_key_statements_len = _API_KEY_STATEMENT_MAX;

const char *const api_key_scope_names[] = {"images", "account", "library", NULL};

void api_key_new(ApiKey *key, Arena *arena, char ret_text[API_KEY_TEXT_LEN + 1]) {
    uint8_t secret[API_KEY_SECRET_LEN];

    key->key_id = uuid_new();
    random_bytes(secret, sizeof(secret));
    digest_sha256((Str){(const char *)secret, sizeof(secret)}, key->secret_hash);
    access_key_write(&key->user_id, &key->key_id, secret, ret_text);
    key->hint = arena_strdup(arena, (Str){ret_text, API_KEY_HINT_LEN});
    secret_wipe(secret, sizeof(secret));
}

/* No statement here has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &api_key_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int api_key_store_add(DbTx *tx, const UserKey *vault_key, Arena *arena, const ApiKey *key) {
    Str hash = {(const char *)key->secret_hash, VAULT_HASH_LEN};
    Str sealed = column_seal(vault_key, "user_api_key.name", uuid_str(&key->key_id),
                             str_from(key->name), arena);
    Uuid *ids;
    size_t n;
    int r = api_key_store_ids(tx, &key->user_id, arena, &ids, &n);

    if (r < 0) {
        return err_trace(r);
    }
    if (n >= API_KEYS_MAX) {
        return API_KEY_E_FULL;
    }
    return run(tx, API_KEY_ADD,
               (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(&key->key_id)),
                           DB_BLOB(hash), DB_TEXT(str_from(key->hint)), DB_BLOB(sealed),
                           DB_INT(key->scopes), DB_INT(key->created_us),
                           key->expires_us == 0 ? DB_NULL : DB_INT(key->expires_us)},
               NULL);
}

static int64_t int_or_0(const DbValue *value) {
    return value->type == DB_TYPE_NULL ? 0 : value->integer;
}

int api_key_store_get(DbTx *tx, const Uuid *user_id, const Uuid *key_id, Arena *arena,
                      ApiKey *ret_key) {
    const DbValue *row;
    int r = db_query_one(tx, &api_key_statements[API_KEY_GET],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(key_id))}, arena,
                         &row);

    if (r != 0) {
        return r == DB_E_NONE ? API_KEY_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    if (row[0].bytes.len != VAULT_HASH_LEN) {
        return err_trace(-EBADMSG);
    }
    if (row[5].integer != ACCOUNT_ACTIVE) {
        return API_KEY_E_NONE;
    }
    *ret_key = (ApiKey){.user_id = *user_id,
                        .key_id = *key_id,
                        .scopes = (uint32_t)row[1].integer,
                        .created_us = row[2].integer,
                        .expires_us = int_or_0(&row[3]),
                        .used_us = int_or_0(&row[4])};
    memcpy(ret_key->secret_hash, row[0].bytes.ptr, VAULT_HASH_LEN);
    return 0;
}

static int read_row(const UserKey *vault_key, const DbValue *row, Arena *arena, ApiKey *ret_key) {
    ApiKey key = {.user_id = vault_key->user_id,
                  .hint = arena_strdup(arena, row[1].bytes),
                  .scopes = (uint32_t)row[3].integer,
                  .created_us = row[4].integer,
                  .expires_us = int_or_0(&row[5]),
                  .used_us = int_or_0(&row[6])};
    Str name;
    int r;

    if (uuid_from_str(row[0].bytes, &key.key_id) < 0) {
        return err_trace(-EBADMSG);
    }
    r = column_open(vault_key, "user_api_key.name", uuid_str(&key.key_id), row[2].bytes, arena,
                    &name);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    key.name = arena_strdup(arena, name);
    *ret_key = key;
    return 0;
}

int api_key_store_list(DbTx *tx, const UserKey *vault_key, Arena *arena, ApiKey **ret_keys,
                       size_t *ret_n) {
    ApiKey *keys;
    DbRows rows;
    int r = db_query(tx, &api_key_statements[API_KEY_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(&vault_key->user_id)), DB_INT(API_KEYS_MAX)},
                     API_KEYS_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    keys = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*keys));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = read_row(vault_key, db_rows_at(&rows, i, 0), arena, &keys[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_keys = keys;
    *ret_n = rows.n_rows;
    return 0;
}

int api_key_store_ids(DbTx *tx, const Uuid *user_id, Arena *arena, Uuid **ret_ids, size_t *ret_n) {
    return db_query_ids(tx, &api_key_statements[API_KEY_IDS],
                        (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(API_KEYS_MAX)}, API_KEYS_MAX,
                        arena, ret_ids, ret_n);
}

int api_key_store_used(DbTx *tx, const Uuid *user_id, const Uuid *key_id, int64_t now_us) {
    return run(tx, API_KEY_USED,
               (DbValue[]){DB_INT(now_us), DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(key_id))},
               NULL);
}

int api_key_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *key_id) {
    uint64_t changed;
    int r = run(tx, API_KEY_REMOVE,
                (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(key_id))}, &changed);

    if (r < 0) {
        return err_trace(r);
    }
    return changed > 0 ? 0 : API_KEY_E_NONE;
}
