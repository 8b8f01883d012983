/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/epoch.h"

#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/error.h"
#include "services/sync/setting.h"

static const char name[] = "epoch";

static void make(char ret_epoch[EPOCH_LEN + 1]) {
    uint8_t bytes[EPOCH_LEN / 2];

    random_bytes(bytes, sizeof(bytes));
    hex_encode((Str){(const char *)bytes, sizeof(bytes)}, ret_epoch);
}

static int get(DbTx *tx, void *userdata) {
    return setting_get(tx, name, EPOCH_LEN, userdata);
}

/* Of several processes one is the first, and the others take its. */
static int add(DbTx *tx, void *userdata) {
    char epoch[EPOCH_LEN + 1];
    int r;

    make(epoch);
    r = setting_add(tx, name, epoch);
    return r == 0 ? get(tx, userdata) : err_trace(r);
}

static int set(DbTx *tx, void *userdata) {
    char epoch[EPOCH_LEN + 1];

    (void)userdata;
    make(epoch);
    return setting_set(tx, name, epoch);
}

int sync_epoch_open(Db *db, char ret_epoch[EPOCH_LEN + 1]) {
    int r = db_read(db, NULL, get, ret_epoch);

    return r < 0 || ret_epoch[0] ? err_trace(r) : err_trace(db_write(db, add, ret_epoch, NULL));
}

int sync_epoch_renew(Db *db) {
    return err_trace(db_write(db, set, NULL, NULL));
}
