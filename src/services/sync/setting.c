/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/setting.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>

#define INSERT "INSERT INTO sync_setting (name, value) VALUES (?, ?) ON CONFLICT "

static const DbStatement get_statement = {"setting_get",
                                          "SELECT value FROM sync_setting WHERE name = ?", 1, 1};
static const DbStatement add_statement = {"setting_add", INSERT "DO NOTHING", 2, 0};
static const DbStatement set_statement = {
    "setting_set", INSERT "(name) DO UPDATE SET value = excluded.value", 2, 0};
static const DbStatement lease_statement = {
    "setting_lease",
    INSERT "(name) DO UPDATE SET value = excluded.value"
           " WHERE sync_setting.value < ? OR sync_setting.value > excluded.value",
    3, 0};

int setting_get(DbTx *tx, const char *name, size_t len, char *ret_value) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row;
    int r = db_query_one(tx, &get_statement, &DB_TEXT(str_from(name)), arena, &row);

    if (r == DB_E_NONE) {
        ret_value[0] = '\0';
        return 0;
    }
    if (r != 0 || row[0].bytes.len != len) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    memcpy(ret_value, row[0].bytes.ptr, len);
    ret_value[len] = '\0';
    return 0;
}

static int put(DbTx *tx, const DbStatement *statement, const char *name, const char *value) {
    int r = db_exec(tx, statement, (DbValue[]){DB_TEXT(str_from(name)), DB_TEXT(str_from(value))},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int setting_add(DbTx *tx, const char *name, const char *value) {
    return put(tx, &add_statement, name, value);
}

int setting_set(DbTx *tx, const char *name, const char *value) {
    return put(tx, &set_statement, name, value);
}

/* Times of so many digits sort as text. */
int setting_lease(DbTx *tx, const char *name, int64_t lease_us, bool *ret_taken) {
    int64_t now_us = clock_unix_us(), until_us = now_us + lease_us;
    char now[21], until[21];
    uint64_t changed = 0;
    int r;

    snprintf(now, sizeof(now), "%020lld", (long long)now_us);
    snprintf(until, sizeof(until), "%020lld", (long long)until_us);
    r = db_exec(
        tx, &lease_statement,
        (DbValue[]){DB_TEXT(str_from(name)), DB_TEXT(str_from(until)), DB_TEXT(str_from(now))},
        &changed);
    *ret_taken = r == 0 && changed > 0;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
