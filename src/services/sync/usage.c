/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/usage.h"

#include "base/error.h"

enum {
    USAGE_GET,
    USAGE_ADD,
    USAGE_SET,
    USAGE_FILES,
    USAGE_RESERVED,
    _USAGE_STATEMENT_MAX,
};

#define INSERT                                                                                     \
    "INSERT INTO sync_usage (user_id, files, bytes, reserved) VALUES (?, ?, ?, ?)"                 \
    " ON CONFLICT (user_id) DO UPDATE SET "

const DbStatement usage_statements[_USAGE_STATEMENT_MAX] = {
    [USAGE_GET] = {"usage_get", "SELECT files, bytes, reserved FROM sync_usage WHERE user_id = ?",
                   1, 3},
    [USAGE_ADD] = {"usage_add",
                   INSERT "files = sync_usage.files + excluded.files,"
                          " bytes = sync_usage.bytes + excluded.bytes,"
                          " reserved = sync_usage.reserved + excluded.reserved",
                   4, 0},
    [USAGE_SET] = {"usage_set",
                   INSERT "files = excluded.files, bytes = excluded.bytes,"
                          " reserved = excluded.reserved",
                   4, 0},
    [USAGE_FILES] = {"usage_files",
                     "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM sync_blob"
                     " WHERE user_id = ?",
                     1, 2},
    [USAGE_RESERVED] = {"usage_reserved",
                        "SELECT CAST(coalesce(sum(reserved), 0) AS BIGINT) FROM sync_upload"
                        " WHERE user_id = ?",
                        1, 1},
};
const size_t usage_statements_len = _USAGE_STATEMENT_MAX;

bool usage_equal(const Usage *a, const Usage *b) {
    return a->files == b->files && a->bytes == b->bytes && a->reserved == b->reserved;
}

int usage_get(DbTx *tx, const Uuid *user_id, Arena *arena, Usage *ret_usage) {
    const DbValue *row;
    int r =
        db_query_one(tx, &usage_statements[USAGE_GET], &DB_BLOB(uuid_str(user_id)), arena, &row);

    if (r == DB_E_NONE) {
        *ret_usage = (Usage){0};
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_usage = (Usage){row[0].integer, row[1].integer, row[2].integer};
    return 0;
}

static int write_row(DbTx *tx, int statement, const Uuid *user_id, const Usage *usage) {
    int r = db_exec(tx, &usage_statements[statement],
                    (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(usage->files),
                                DB_INT(usage->bytes), DB_INT(usage->reserved)},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int usage_add(DbTx *tx, const Uuid *user_id, const Usage *change) {
    if (usage_equal(change, &(Usage){0})) {
        return 0;
    }
    return write_row(tx, USAGE_ADD, user_id, change);
}

int usage_count(DbTx *tx, const Uuid *user_id, Arena *arena, Usage *ret_usage) {
    const DbValue id = DB_BLOB(uuid_str(user_id));
    const DbValue *files, *reserved;
    int r = db_query_one(tx, &usage_statements[USAGE_FILES], &id, arena, &files);

    if (r == 0) {
        r = db_query_one(tx, &usage_statements[USAGE_RESERVED], &id, arena, &reserved);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_usage = (Usage){files[0].integer, files[1].integer, reserved[0].integer};
    return 0;
}

int usage_remake(DbTx *tx, const Uuid *user_id, Arena *arena) {
    Usage said, counted;
    int r = usage_get(tx, user_id, arena, &said);

    r = r < 0 ? r : usage_count(tx, user_id, arena, &counted);
    if (r < 0 || usage_equal(&said, &counted)) {
        return err_trace(r);
    }
    return write_row(tx, USAGE_SET, user_id, &counted);
}

int usage_left(DbTx *tx, const Uuid *user_id, uint64_t quota, Arena *arena, uint64_t *ret_left) {
    Usage usage;
    uint64_t used;
    int r;

    if (quota == 0) {
        *ret_left = UINT64_MAX;
        return 0;
    }
    r = usage_get(tx, user_id, arena, &usage);
    if (r < 0) {
        return err_trace(r);
    }
    used = (uint64_t)MAX(usage.bytes, 0) + (uint64_t)MAX(usage.reserved, 0);
    *ret_left = quota > used ? quota - used : 0;
    return 0;
}
