/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/blob_store.h"

#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <stdio.h>

enum {
    BLOB_ADD,
    BLOB_GET,
    BLOB_REMOVE,
    BLOB_LIST,
    _BLOB_STATEMENT_MAX,
};

const DbStatement blob_store_statements[_BLOB_STATEMENT_MAX] = {
    [BLOB_ADD] = {"blob_add",
                  "INSERT INTO sync_blob (user_id, blob_id, size, key_sealed, created_us, name)"
                  " VALUES (?, ?, ?, ?, ?, ?)",
                  6, 0},
    [BLOB_GET] = {"blob_get",
                  "SELECT size, key_sealed FROM sync_blob WHERE user_id = ? AND blob_id = ?", 2, 2},
    [BLOB_REMOVE] = {"blob_remove", "DELETE FROM sync_blob WHERE user_id = ? AND blob_id = ?", 2,
                     0},
    [BLOB_LIST] = {"blob_list",
                   "SELECT blob_id, size, key_sealed FROM sync_blob WHERE user_id = ?"
                   " AND blob_id > ? ORDER BY blob_id LIMIT ?",
                   3, 3},
};
const size_t blob_store_statements_len = _BLOB_STATEMENT_MAX;

static const char key_column[] = "sync_blob.key";

void stored_blob_done(StoredBlob *blob) {
    secret_wipe(blob->key, sizeof(blob->key));
}

/* In 256 folders, so that none has too many. */
static void name_of(const UserKey *key, const Uuid *id, char ret_name[BLOB_STORE_NAME_SIZE]) {
    uint8_t hash[LIBRARY_HASH_LEN];
    size_t n;

    library_hash(key, "imagesync/blob-name", uuid_str(id), hash);
    n = (size_t)snprintf(ret_name, BLOB_STORE_NAME_SIZE, "%02x/", hash[0]);
    for (size_t i = 1; i < sizeof(hash); i++) {
        n += (size_t)snprintf(ret_name + n, BLOB_STORE_NAME_SIZE - n, "%02x", hash[i]);
    }
}

void stored_blob_of(const UserKey *key, const Uuid *id, const uint8_t blob_key[AEAD_KEY_LEN],
                    StoredBlob *ret_blob) {
    *ret_blob = (StoredBlob){.id = *id};
    memcpy(ret_blob->key, blob_key, AEAD_KEY_LEN);
    name_of(key, id, ret_blob->name);
}

void stored_blob_new(const UserKey *key, StoredBlob *ret_blob) {
    uint8_t blob_key[AEAD_KEY_LEN];
    Uuid id = uuid_new();

    random_bytes(blob_key, sizeof(blob_key));
    stored_blob_of(key, &id, blob_key, ret_blob);
    secret_wipe(blob_key, sizeof(blob_key));
}

int blob_store_add(DbTx *tx, const UserKey *key, const StoredBlob *blob, int64_t now_us,
                   Arena *arena) {
    Str sealed = column_seal(key, key_column, uuid_str(&blob->id),
                             (Str){(const char *)blob->key, sizeof(blob->key)}, arena);
    int r = db_exec(tx, &blob_store_statements[BLOB_ADD],
                    (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(&blob->id)),
                                DB_INT(blob->size), DB_BLOB(sealed), DB_INT(now_us),
                                DB_TEXT(str_from(blob->name))},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int blob_store_get(DbTx *tx, const UserKey *key, const Uuid *id, Arena *arena,
                   StoredBlob *ret_blob) {
    const DbValue *row;
    Str blob_key;
    int r = db_query_one(tx, &blob_store_statements[BLOB_GET],
                         (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(id))},
                         arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? BLOB_STORE_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = column_open(key, key_column, uuid_str(id), row[1].bytes, arena, &blob_key);
    if (r != 0 || blob_key.len != AEAD_KEY_LEN) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    stored_blob_of(key, id, (const uint8_t *)blob_key.ptr, ret_blob);
    ret_blob->size = (uint64_t)row[0].integer;
    return 0;
}

int blob_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *id) {
    int r = db_exec(tx, &blob_store_statements[BLOB_REMOVE],
                    (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(id))}, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int blob_store_list(DbTx *tx, const UserKey *key, const Uuid *after, Arena *arena,
                    StoredBlob **ret_blobs, size_t *ret_n) {
    DbRows rows;
    StoredBlob *blobs;
    int r = db_query(tx, &blob_store_statements[BLOB_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(after)),
                                 DB_INT(BLOB_STORE_LIST_MAX)},
                     BLOB_STORE_LIST_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    blobs = arena_alloc(arena, (rows.n_rows + 1) * sizeof(*blobs));
    for (size_t i = 0; i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        Uuid id;
        Str blob_key;
        r = uuid_from_str(row[0].bytes, &id);
        if (r < 0) {
            return err_trace(r);
        }
        r = column_open(key, key_column, row[0].bytes, row[2].bytes, arena, &blob_key);
        if (r != 0 || blob_key.len != AEAD_KEY_LEN) {
            blobs[i] = (StoredBlob){.id = id};
            continue;
        }
        stored_blob_of(key, &id, (const uint8_t *)blob_key.ptr, &blobs[i]);
        blobs[i].size = (uint64_t)row[1].integer;
    }
    *ret_blobs = blobs;
    *ret_n = rows.n_rows;
    return 0;
}
