/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/device/device_cursors.h"

#include "base/error.h"

enum {
    DEVICE_PUT,
    DEVICE_LIST,
    _DEVICE_STATEMENT_MAX,
};

const DbStatement device_cursor_statements[_DEVICE_STATEMENT_MAX] = {
    [DEVICE_PUT] = {"device_put",
                    "INSERT INTO sync_device (user_id, device_id, seq, seen_us, name_sealed)"
                    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id, device_id) DO UPDATE SET"
                    " seq = excluded.seq, seen_us = excluded.seen_us, name_sealed = CASE"
                    " WHEN length(excluded.name_sealed) > 0 THEN excluded.name_sealed"
                    " ELSE sync_device.name_sealed END",
                    5, 0},
    [DEVICE_LIST] = {"device_list",
                     "SELECT device_id, seq, seen_us, name_sealed FROM sync_device"
                     " WHERE user_id = ? ORDER BY device_id LIMIT ?",
                     2, 4},
};
const size_t device_cursor_statements_len = _DEVICE_STATEMENT_MAX;

static const char name_column[] = "sync_device.name";

int device_cursor_put(DbTx *tx, const Library *library, const Device *device) {
    Str name = str_lit("");
    int r;

    if (device->name[0] != '\0') {
        name = column_seal(library->key, name_column, uuid_str(&device->id), str_from(device->name),
                           library->arena);
    }
    r = db_exec(tx, &device_cursor_statements[DEVICE_PUT],
                (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                            DB_BLOB(uuid_str(&device->id)), DB_INT(device->seq),
                            DB_INT(device->seen_us), DB_BLOB(name)},
                NULL);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int read_device(const Library *library, const DbValue *row, Device *ret_device) {
    Str name = str_lit("");
    int r = uuid_from_str(row[0].bytes, &ret_device->id);

    if (r == 0 && row[3].bytes.len > 0) {
        r = column_open(library->key, name_column, row[0].bytes, row[3].bytes, library->arena,
                        &name);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    ret_device->seq = row[1].integer;
    ret_device->seen_us = row[2].integer;
    ret_device->name = arena_strdup(library->arena, name);
    return 0;
}

int device_cursor_list(DbTx *tx, const Library *library, Device **ret_devices, size_t *ret_n) {
    DbRows rows;
    Device *devices;
    int r = db_query(tx, &device_cursor_statements[DEVICE_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)), DB_INT(DEVICES_MAX)},
                     DEVICES_MAX, library->arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    devices = arena_alloc(library->arena, (rows.n_rows + 1) * sizeof(*devices));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = read_device(library, db_rows_at(&rows, i, 0), &devices[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_devices = devices;
    *ret_n = rows.n_rows;
    return 0;
}

json_t *device_json(const Device *device) {
    char id[UUID_TEXT_SIZE];
    json_t *json;

    uuid_text(&device->id, id);
    json = json_pack("{s:s,s:I,s:I}", "id", id, "seq", (json_int_t)device->seq, "seen",
                     (json_int_t)(device->seen_us / 1000));
    if (device->name[0] != '\0') {
        json_object_set_new(json, "name", json_string(device->name));
    }
    return json;
}
