/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/epoch.h"

#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/error.h"

static const DbStatement get_statement = {
    "epoch_get", "SELECT value FROM sync_setting WHERE name = 'epoch'", 0, 1};
static const DbStatement add_statement = {
    "epoch_add",
    "INSERT INTO sync_setting (name, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING", 1, 0};
static const DbStatement set_statement = {
    "epoch_set",
    "INSERT INTO sync_setting (name, value) VALUES ('epoch', ?) ON CONFLICT (name) DO UPDATE"
    " SET value = excluded.value",
    1, 0};

static void make(char ret_epoch[EPOCH_LEN + 1]) {
    uint8_t bytes[EPOCH_LEN / 2];

    random_bytes(bytes, sizeof(bytes));
    hex_encode((Str){(const char *)bytes, sizeof(bytes)}, ret_epoch);
}

static int run(DbTx *tx, const DbStatement *statement, const char *epoch) {
    const DbValue value = DB_TEXT(str_from(epoch));
    int r = db_exec(tx, statement, &value, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int get(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char *epoch = userdata;
    const DbValue *row;
    int r = db_query_one(tx, &get_statement, NULL, arena, &row);

    if (r == DB_E_NONE) {
        epoch[0] = '\0';
        return 0;
    }
    if (r != 0 || row[0].bytes.len != EPOCH_LEN) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    memcpy(epoch, row[0].bytes.ptr, EPOCH_LEN);
    epoch[EPOCH_LEN] = '\0';
    return 0;
}

/* Of several processes one is the first, and the others take its. */
static int add(DbTx *tx, void *userdata) {
    char epoch[EPOCH_LEN + 1];
    int r;

    make(epoch);
    r = run(tx, &add_statement, epoch);
    return r == 0 ? get(tx, userdata) : err_trace(r);
}

static int set(DbTx *tx, void *userdata) {
    char epoch[EPOCH_LEN + 1];

    (void)userdata;
    make(epoch);
    return run(tx, &set_statement, epoch);
}

int sync_epoch_open(Db *db, char ret_epoch[EPOCH_LEN + 1]) {
    int r = db_read(db, NULL, get, ret_epoch);

    return r < 0 || ret_epoch[0] ? err_trace(r) : err_trace(db_write(db, add, ret_epoch, NULL));
}

int sync_epoch_renew(Db *db) {
    return err_trace(db_write(db, set, NULL, NULL));
}
