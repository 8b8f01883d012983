/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/store_id.h"

#include "base/error.h"
#include "services/sync/setting.h"

static const char name[] = "blob_store";

static int get(DbTx *tx, void *userdata) {
    return setting_get(tx, name, BLOB_STORE_ID_LEN, userdata);
}

static int keep(DbTx *tx, void *userdata) {
    int r = setting_add(tx, name, userdata);

    return r == 0 ? get(tx, userdata) : err_trace(r);
}

static int set(DbTx *tx, void *userdata) {
    return setting_set(tx, name, userdata);
}

int sync_store_id_get(Db *db, char ret_id[BLOB_STORE_ID_LEN + 1]) {
    return err_trace(db_read(db, NULL, get, ret_id));
}

int sync_store_id_keep(Db *db, char id[BLOB_STORE_ID_LEN + 1]) {
    return err_trace(db_write(db, keep, id, NULL));
}

int sync_store_id_set(Db *db, const char id[BLOB_STORE_ID_LEN + 1]) {
    return err_trace(db_write(db, set, (void *)id, NULL));
}
