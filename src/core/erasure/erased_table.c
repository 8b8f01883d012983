/* SPDX-License-Identifier: Apache-2.0 */
#include "core/erasure/erased_table.h"

#include "base/error.h"

int erased_tables_check(Db *db, const ErasedTable *tables, size_t n, const char **reterr_name) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = db_check(db, &tables[i].all, 1, reterr_name);
        if (r == 0 && tables[i].batch.sql) {
            r = db_check(db, &tables[i].batch, 1, reterr_name);
        }
    }
    return err_trace(r);
}

int erased_table_erase(DbTx *tx, const ErasedTable *table, const Uuid *user_id, uint64_t *ret_n,
                       bool *ret_more) {
    const DbValue id = DB_BLOB(uuid_str(user_id));
    uint64_t n = 0;
    int r = 0;

    if (table->batch.sql) {
        r = db_exec(tx, &table->batch, (DbValue[]){id, id, DB_INT(ERASED_TABLE_BATCH)}, &n);
    }
    *ret_more = n > 0;
    if (r == 0 && n == 0) { /* not more than a batch */
        r = db_exec(tx, &table->all, &id, &n);
    }
    *ret_n = n;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

void erased_rows_add(json_t *rows, const char *table, uint64_t n) {
    json_int_t before = json_integer_value(json_object_get(rows, table));

    if (json_object_set_new(rows, table, json_integer(before + (json_int_t)n)) < 0) {
        abort(); /* nothing but exhausted memory */
    }
}
