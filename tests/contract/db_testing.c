/* SPDX-License-Identifier: Apache-2.0 */
#include "db_testing.h"

const DbStatement statements[_STATEMENTS_MAX] = {
    [ITEM_ADD] = {"item_add", "INSERT INTO contract_item (id, word, bytes) VALUES (?, ?, ?)", 3, 0},
    [ITEM_ADD_OR_NOT] = {"item_add_or_not",
                         "INSERT INTO contract_item (id, word, bytes) VALUES (?, ?, ?)"
                         " ON CONFLICT DO NOTHING",
                         3, 0},
    [ITEM_ADD_RETURNING] = {"item_add_returning",
                            "INSERT INTO contract_item (id, word, bytes) VALUES (?, ?, ?)"
                            " RETURNING id, bytes",
                            3, 2},
    [ITEM_GET] = {"item_get", "SELECT word, bytes FROM contract_item WHERE id = ?", 1, 2},
    [ITEM_COUNT] = {"item_count", "SELECT count(*) FROM contract_item", 0, 1},
    [ITEM_LIST] = {"item_list", "SELECT id, word, bytes FROM contract_item ORDER BY id", 0, 3},
    [ITEM_BYTES] = {"item_bytes", "SELECT bytes FROM contract_item ORDER BY id", 0, 1},
    [ITEM_RENAME] = {"item_rename", "UPDATE contract_item SET word = ? WHERE id = ?", 2, 0},
    [ITEM_RENAME_FROM_RETURNING] = {"item_rename_from_returning",
                                    "UPDATE contract_item SET bytes = ? WHERE id >= ?"
                                    " RETURNING id, word",
                                    2, 2},
    [ITEM_REMOVE] = {"item_remove", "DELETE FROM contract_item WHERE id = ?", 1, 0},
    [ITEM_REMOVE_RETURNING] = {"item_remove_returning",
                               "DELETE FROM contract_item WHERE id = ? RETURNING word", 1, 1},
    [PART_ADD] = {"part_add", "INSERT INTO contract_part (item_id, amount) VALUES (?, ?)", 2, 0},
    [PART_GET] = {"part_get", "SELECT amount FROM contract_part WHERE item_id = ?", 1, 1},
    [PART_SET] = {"part_set", "UPDATE contract_part SET amount = ? WHERE item_id = ?", 2, 0},
    [PART_SUM] = {"part_sum", "SELECT CAST(sum(amount) AS BIGINT) FROM contract_part", 0, 1},
};

int run_steps(DbTx *tx, void *userdata) {
    Steps *all = userdata;

    all->runs++;
    for (size_t i = 0; i < all->n_steps; i++) {
        Step *step = &all->steps[i];
        step->r = step->statement->n_columns > 0
                      ? db_query(tx, step->statement, step->params, step->rows_max, all->arena,
                                 &step->rows)
                      : db_exec(tx, step->statement, step->params, &step->changed);
        if (step->r != 0 && !all->go_on) {
            return step->r;
        }
    }
    return all->result;
}

int run_script(DbTx *tx, void *userdata) {
    return db_script(tx, userdata);
}

void db_testing_tables(Db *db) {
    static char script[] =
        "DROP TABLE IF EXISTS contract_part;\n"
        "DROP TABLE IF EXISTS contract_item;\n"
        "CREATE TABLE contract_item (\n"
        "    id BIGINT NOT NULL PRIMARY KEY,\n"
        "    word TEXT UNIQUE,\n"
        "    bytes BYTEA\n"
        ");\n"
        "CREATE TABLE contract_part (\n"
        "    item_id BIGINT NOT NULL PRIMARY KEY REFERENCES contract_item (id),\n"
        "    amount BIGINT NOT NULL CHECK (amount >= 0)\n"
        ");\n";

    assert_int_equal(db_write(db, run_script, script, NULL), 0);
}

/* The only value of the only row; -1 when there is no row. */
static int64_t read_number(Db *db, const DbStatement *statement, const DbValue *params) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Steps steps = STEPS(arena, {statement, params, 1});

    assert_int_equal(db_read(db, NULL, run_steps, &steps), 0);
    if (steps.steps[0].rows.n_rows == 0) {
        return -1;
    }
    assert_int_equal(steps.steps[0].rows.values[0].type, DB_TYPE_INT);
    return steps.steps[0].rows.values[0].integer;
}

int64_t count_items(Db *db) {
    return read_number(db, &statements[ITEM_COUNT], NULL);
}

int64_t part_amount(Db *db, int64_t item_id) {
    return read_number(db, &statements[PART_GET], PARAMS(DB_INT(item_id)));
}

void add_part(Db *db, int64_t item_id, int64_t amount) {
    Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(item_id), DB_NULL, DB_NULL)},
                        {&statements[PART_ADD], PARAMS(DB_INT(item_id), DB_INT(amount))});

    assert_int_equal(db_write(db, run_steps, &steps, NULL), 0);
}
