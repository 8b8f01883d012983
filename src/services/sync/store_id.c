/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/store_id.h"

#include "base/error.h"

static const DbStatement get_statement = {
    "store_id_get", "SELECT value FROM sync_setting WHERE name = 'blob_store'", 0, 1};
static const DbStatement add_statement = {
    "store_id_add",
    "INSERT INTO sync_setting (name, value) VALUES ('blob_store', ?) ON CONFLICT DO NOTHING", 1, 0};

static const DbStatement set_statement = {
    "store_id_set",
    "INSERT INTO sync_setting (name, value) VALUES ('blob_store', ?) ON CONFLICT (name) DO UPDATE"
    " SET value = excluded.value",
    1, 0};

typedef struct StoreId {
    Arena *arena;
    char *id;
} StoreId;

static int get(DbTx *tx, void *userdata) {
    StoreId *store = userdata;
    const DbValue *row;
    int r = db_query_one(tx, &get_statement, NULL, store->arena, &row);

    if (r == DB_E_NONE) {
        store->id[0] = '\0';
        return 0;
    }
    if (r != 0 || row[0].bytes.len != BLOB_STORE_ID_LEN) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    memcpy(store->id, row[0].bytes.ptr, BLOB_STORE_ID_LEN);
    store->id[BLOB_STORE_ID_LEN] = '\0';
    return 0;
}

static int keep(DbTx *tx, void *userdata) {
    StoreId *store = userdata;
    const DbValue id = DB_TEXT(((Str){store->id, BLOB_STORE_ID_LEN}));
    int r = db_exec(tx, &add_statement, &id, NULL);

    return r == 0 ? get(tx, store) : err_trace(r < 0 ? r : -EIO);
}

int sync_store_id_get(Db *db, char ret_id[BLOB_STORE_ID_LEN + 1]) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    return err_trace(db_read(db, NULL, get, &(StoreId){arena, ret_id}));
}

int sync_store_id_keep(Db *db, char id[BLOB_STORE_ID_LEN + 1]) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    return err_trace(db_write(db, keep, &(StoreId){arena, id}, NULL));
}

static int set(DbTx *tx, void *userdata) {
    const DbValue id = DB_TEXT(str_from(userdata));
    int r = db_exec(tx, &set_statement, &id, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int sync_store_id_set(Db *db, const char id[BLOB_STORE_ID_LEN + 1]) {
    return err_trace(db_write(db, set, (void *)id, NULL));
}
