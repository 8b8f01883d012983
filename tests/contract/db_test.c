/* SPDX-License-Identifier: Apache-2.0 */

/* The database port's contract on one thread: values, statements, transactions, refusals. */

#include "db_testing.h"

#include <errno.h>
#include <stdio.h>

static const char *url;

static int open_db(void **state) {
    Db *db = NULL;

    if (db_engine_open(url, &db) != 0) {
        return -1;
    }
    *state = db;
    return 0;
}

static int close_db(void **state) {
    *state = db_free(*state);
    return 0;
}

static int empty_tables(void **state) {
    db_testing_tables(*state);
    return 0;
}

static int add_item(Db *db, int64_t id, DbValue word, DbValue bytes) {
    Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(id), word, bytes)});

    return db_write(db, run_steps, &steps, NULL);
}

/* The item's row; its two values. */
static const DbValue *get_item(Db *db, int64_t id, Arena *arena) {
    Steps steps = STEPS(arena, {&statements[ITEM_GET], PARAMS(DB_INT(id)), 1});

    assert_int_equal(db_read(db, NULL, run_steps, &steps), 0);
    assert_int_equal(steps.steps[0].rows.n_rows, 1);
    assert_int_equal(steps.steps[0].rows.n_columns, 2);
    return steps.steps[0].rows.values;
}

static void assert_value(DbValue is, DbValue should) {
    assert_int_equal(is.type, should.type);
    if (should.type == DB_TYPE_INT) {
        assert_true(is.integer == should.integer);
    } else if (should.type != DB_TYPE_NULL) {
        assert_int_equal(is.bytes.len, should.bytes.len);
        assert_true(str_equal(is.bytes, should.bytes));
    }
}

static void assert_round_trip(Db *db, int64_t id, DbValue word, DbValue bytes) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row;

    assert_int_equal(add_item(db, id, word, bytes), 0);
    row = get_item(db, id, arena);
    assert_value(row[0], word);
    assert_value(row[1], bytes);
}

static void values_come_back_as_they_went_in(void **state) {
    static const char utf8[] = "Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x93\xb7 e\xcc\x81 \x01\x7f";
    char every[256];
    const Str nowhere = {0};

    for (size_t i = 0; i < sizeof(every); i++) {
        every[i] = (char)i;
    }
    assert_round_trip(*state, 0, DB_NULL, DB_NULL);
    assert_round_trip(*state, -1, DB_TEXT(str_lit("")), DB_BLOB(str_lit("")));
    assert_round_trip(*state, INT64_MAX, DB_NULL, DB_BLOB(nowhere));
    assert_round_trip(*state, INT64_MIN, DB_TEXT(str_lit(utf8)), DB_BLOB(str_lit("\0a\0\0")));
    assert_round_trip(*state, 1, DB_TEXT(str_lit("12345")), DB_BLOB(((Str){every, 256})));
    assert_round_trip(*state, 2, DB_TEXT(str_lit("'; DROP TABLE contract_item; --")),
                      DB_BLOB(str_lit("12345")));
    assert_round_trip(*state, 3, DB_TEXT(str_lit("\\x00 \\000 %s $1 ?")),
                      DB_BLOB(str_lit("\\x00")));
    assert_int_equal(count_items(*state), 7);
}

static void large_values_come_back_whole(void **state) {
    _cleanup_(buf_done) Buf text = BUF_INIT, bytes = BUF_INIT;

    for (unsigned i = 0; i < 1u << 18; i++) {
        uint32_t mixed = i * 2654435761u;
        buf_add(&bytes, &mixed, sizeof(mixed));
    }
    while (text.len < 3u << 20) {
        buf_add_str(&text, str_lit("\xe2\x82\xac"));
    }
    /* An index does not hold so long a text, so the column without one takes it, as bytes. */
    assert_round_trip(*state, 1, DB_NULL, DB_BLOB(buf_str(&bytes)));
    assert_round_trip(*state, 2, DB_NULL, DB_BLOB(buf_str(&text)));
}

static void numbers_keep_every_bit(void **state) {
    const int64_t numbers[] = {INT64_MAX, INT64_MAX - 1, 0, (INT64_C(1) << 53) + 1};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        add_part(*state, (int64_t)i, numbers[i]);
        assert_true(part_amount(*state, (int64_t)i) == numbers[i]);
    }
    assert_int_equal(part_amount(*state, 77), -1);
}

static void text_must_be_text(void **state) {
    const Str wrong[] = {str_lit("a\0b"),         str_lit("\xff"),     str_lit("\xc3"),
                         str_lit("\xed\xa0\x80"), str_lit("\xc0\xaf"), str_lit("\xf4\x90\x80\x80")};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(add_item(*state, 1, DB_TEXT(wrong[i]), DB_NULL), -EINVAL);
    }
    assert_int_equal(count_items(*state), 0);
}

static void parameters_do_not_stay_from_the_last_time(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    assert_int_equal(add_item(*state, 1, DB_TEXT(str_lit("one")), DB_BLOB(str_lit("1"))), 0);
    assert_int_equal(add_item(*state, 2, DB_NULL, DB_NULL), 0);
    assert_value(get_item(*state, 2, arena)[0], DB_NULL);
    assert_value(get_item(*state, 2, arena)[1], DB_NULL);
    assert_value(get_item(*state, 1, arena)[0], DB_TEXT(str_lit("one")));
}

static void anything_but_0_rolls_back(void **state) {
    const int results[] = {1, 4711, -EIO, -ENOENT};

    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(1), DB_NULL, DB_NULL)});
        steps.result = results[i];
        assert_int_equal(db_write(*state, run_steps, &steps, NULL), results[i]);
        assert_int_equal(steps.steps[0].r, 0);
        assert_int_equal(steps.runs, 1);
        assert_int_equal(count_items(*state), 0);
        assert_int_equal(db_read(*state, NULL, run_steps, &(Steps){.result = results[i]}),
                         results[i]);
    }
    assert_int_equal(add_item(*state, 1, DB_NULL, DB_NULL), 0);
    assert_int_equal(count_items(*state), 1);
}

static void a_transaction_sees_what_it_wrote(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Steps steps = STEPS(arena, {&statements[ITEM_COUNT], NULL, 1},
                        {&statements[ITEM_ADD], PARAMS(DB_INT(1), DB_NULL, DB_NULL)},
                        {&statements[ITEM_COUNT], NULL, 1});

    assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    assert_int_equal(steps.steps[0].rows.values[0].integer, 0);
    assert_int_equal(steps.steps[2].rows.values[0].integer, 1);
}

/* A first step that works, a second that gives `expected`, a third after it. */
static void assert_spoils(Db *db, Step wrong, int expected) {
    Step good = {&statements[ITEM_ADD], PARAMS(DB_INT(100), DB_NULL, DB_NULL)};
    Step after = {&statements[ITEM_ADD], PARAMS(DB_INT(101), DB_NULL, DB_NULL)};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int64_t before = count_items(db);

    for (int look = 0; look < 2; look++) { /* to itself, or only at the end of the work */
        Steps steps = STEPS(arena, good, wrong, after);
        int r;
        steps.go_on = true;
        steps.result = look ? 5 : 0;
        r = db_write(db, run_steps, &steps, NULL);
        assert_int_equal(steps.steps[0].r, 0);
        assert_int_equal(steps.steps[1].r, expected);
        assert_int_equal(steps.steps[2].r, -ECANCELED);
        assert_int_equal(r, look ? 5 : -ECANCELED);
        assert_int_equal(count_items(db), before);
    }
}

static void a_key_that_is_taken_is_said_and_spoils_the_transaction(void **state) {
    assert_int_equal(add_item(*state, 1, DB_TEXT(str_lit("one")), DB_NULL), 0);
    assert_int_equal(add_item(*state, 1, DB_NULL, DB_NULL), DB_E_EXISTS);
    assert_int_equal(add_item(*state, 2, DB_TEXT(str_lit("one")), DB_NULL), DB_E_EXISTS);
    assert_spoils(*state, (Step){&statements[ITEM_ADD], PARAMS(DB_INT(1), DB_NULL, DB_NULL)},
                  DB_E_EXISTS);
    assert_spoils(*state,
                  (Step){&statements[ITEM_ADD_RETURNING], PARAMS(DB_INT(1), DB_NULL, DB_NULL), 1},
                  DB_E_EXISTS);
    assert_int_equal(add_item(*state, 2, DB_TEXT(str_lit("two")), DB_NULL), 0);
}

static void rules_of_the_tables_hold(void **state) {
    add_part(*state, 1, 10);
    assert_spoils(*state, (Step){&statements[PART_ADD], PARAMS(DB_INT(7), DB_INT(1))},
                  DB_E_CONSTRAINT); /* refers to nothing */
    assert_spoils(*state, (Step){&statements[PART_SET], PARAMS(DB_INT(-1), DB_INT(1))},
                  DB_E_CONSTRAINT); /* CHECK */
    assert_spoils(*state, (Step){&statements[PART_SET], PARAMS(DB_NULL, DB_INT(1))},
                  DB_E_CONSTRAINT); /* NOT NULL */
    assert_spoils(*state, (Step){&statements[ITEM_REMOVE], PARAMS(DB_INT(1))},
                  DB_E_CONSTRAINT); /* is referred to */
    assert_int_equal(part_amount(*state, 1), 10);
}

static void what_was_changed_is_counted(void **state) {
    static const DbStatement no_row = {"no_row", "DROP TABLE IF EXISTS contract_nothing", 0, 0};
    Steps steps = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(1), DB_NULL, DB_NULL)},
                        {&statements[ITEM_ADD_OR_NOT], PARAMS(DB_INT(1), DB_NULL, DB_NULL)},
                        {&statements[ITEM_ADD_OR_NOT], PARAMS(DB_INT(2), DB_NULL, DB_NULL)},
                        {&statements[ITEM_RENAME], PARAMS(DB_TEXT(str_lit("x")), DB_INT(1))},
                        {&statements[ITEM_RENAME], PARAMS(DB_TEXT(str_lit("x")), DB_INT(1))},
                        {&statements[ITEM_RENAME], PARAMS(DB_TEXT(str_lit("y")), DB_INT(9))},
                        {&statements[ITEM_REMOVE], PARAMS(DB_INT(2))}, {&no_row},
                        {&statements[ITEM_REMOVE], PARAMS(DB_INT(2))});
    const uint64_t expected[] = {1, 0, 1, 1, 1, 0, 1, 0, 0};

    assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(steps.steps[i].changed, expected[i]);
    }
}

static void rows_come_from_statements_that_write(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue one = DB_TEXT(str_lit("one")), two = DB_TEXT(str_lit("two"));
    Steps steps = STEPS(
        arena, {&statements[ITEM_ADD_RETURNING], PARAMS(DB_INT(1), one, DB_BLOB(str_lit("\0"))), 1},
        {&statements[ITEM_ADD_RETURNING], PARAMS(DB_INT(2), two, DB_NULL), 1},
        {&statements[ITEM_RENAME_FROM_RETURNING], PARAMS(DB_BLOB(str_lit("b")), DB_INT(0)), 2},
        {&statements[ITEM_REMOVE_RETURNING], PARAMS(DB_INT(2)), 1},
        {&statements[ITEM_REMOVE_RETURNING], PARAMS(DB_INT(2)), 1});
    const DbRows *rows;
    int64_t ids[2];

    assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    assert_value(*db_rows_at(&steps.steps[0].rows, 0, 0), DB_INT(1));
    assert_value(*db_rows_at(&steps.steps[0].rows, 0, 1), DB_BLOB(str_lit("\0")));
    assert_value(*db_rows_at(&steps.steps[1].rows, 0, 1), DB_NULL);
    rows = &steps.steps[2].rows;
    assert_int_equal(rows->n_rows, 2);
    for (size_t i = 0; i < 2; i++) { /* in any order */
        ids[i] = db_rows_at(rows, i, 0)->integer;
        assert_value(*db_rows_at(rows, i, 1), ids[i] == 1 ? one : two);
    }
    assert_int_equal(ids[0] + ids[1], 3);
    assert_value(*db_rows_at(&steps.steps[3].rows, 0, 0), two);
    assert_int_equal(steps.steps[4].rows.n_rows, 0);
    assert_int_equal(count_items(*state), 1);
}

static void no_more_rows_than_asked_for(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Steps exact = STEPS(arena, {&statements[ITEM_LIST], NULL, 100});
    Steps fewer = STEPS(arena, {&statements[ITEM_LIST], NULL, 99});
    Steps none = STEPS(arena, {&statements[ITEM_LIST], NULL, 0});

    for (int64_t id = 99; id >= 0; id--) {
        assert_int_equal(add_item(*state, id, DB_NULL, DB_NULL), 0);
    }
    assert_int_equal(db_read(*state, NULL, run_steps, &exact), 0);
    assert_int_equal(exact.steps[0].rows.n_rows, 100);
    assert_int_equal(exact.steps[0].rows.n_columns, 3);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(db_rows_at(&exact.steps[0].rows, i, 0)->integer, i);
    }
    assert_int_equal(db_read(*state, NULL, run_steps, &fewer), -E2BIG);
    assert_int_equal(db_read(*state, NULL, run_steps, &none), -E2BIG);
    assert_int_equal(db_read(*state, NULL, run_steps, &exact), 0);
}

static int query_one(DbTx *tx, void *userdata) {
    Arena *arena = userdata;
    const DbValue *row = NULL;
    int r = db_query_one(tx, &statements[ITEM_GET], PARAMS(DB_INT(1)), arena, &row);

    if (r == 0 && !str_equal(row[0].bytes, str_lit("one"))) {
        return 99;
    }
    return r;
}

static void one_row_or_none(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    assert_int_equal(db_read(*state, NULL, query_one, arena), DB_E_NONE);
    assert_int_equal(add_item(*state, 1, DB_TEXT(str_lit("one")), DB_NULL), 0);
    assert_int_equal(db_read(*state, NULL, query_one, arena), 0);
}

typedef struct Ids {
    Arena *arena;
    Uuid *ids;
    size_t n;
} Ids;

static int query_ids(DbTx *tx, void *userdata) {
    Ids *found = userdata;

    return db_query_ids(tx, &statements[ITEM_BYTES], NULL, 3, found->arena, &found->ids, &found->n);
}

static void identifiers_or_what_is_stored_is_wrong(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Uuid ids[] = {uuid_new(), uuid_new()};
    Ids found = {arena, NULL, 7};

    assert_int_equal(db_read(*state, NULL, query_ids, &found), 0);
    assert_int_equal(found.n, 0);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_int_equal(add_item(*state, (int64_t)i, DB_NULL, DB_BLOB(uuid_str(&ids[i]))), 0);
    }
    assert_int_equal(db_read(*state, NULL, query_ids, &found), 0);
    assert_int_equal(found.n, ARRAY_LEN(ids));
    assert_true(uuid_equal(&found.ids[0], &ids[0]) && uuid_equal(&found.ids[1], &ids[1]));
    assert_int_equal(add_item(*state, 7, DB_NULL, DB_BLOB(str_lit("no identifier"))), 0);
    assert_int_equal(db_read(*state, NULL, query_ids, &found), -EBADMSG);
}

static void mistakes_in_statements_are_found_before_they_run(void **state) {
    static const DbStatement wrong[] = {
        {"syntax", "SELEC 1", 0, 1},
        {"no_table", "SELECT id FROM contract_nothing", 0, 1},
        {"no_column", "SELECT nothing FROM contract_item", 0, 1},
        {"quoted_word", "SELECT id FROM contract_item WHERE word = \"one\"", 0, 1},
        {"fewer_params", "DELETE FROM contract_item WHERE id = ?", 0, 0},
        {"more_params", "DELETE FROM contract_item WHERE id = ?", 2, 0},
        {"fewer_columns", "SELECT id, word FROM contract_item", 0, 1},
        {"more_columns", "SELECT id FROM contract_item", 0, 2},
        {"columns_of_none", "DELETE FROM contract_item", 0, 1},
        {"two", "DELETE FROM contract_item; DELETE FROM contract_part", 0, 0},
    };
    const char *name = NULL;

    add_part(*state, 1, 1);
    assert_int_equal(db_check(*state, statements, _STATEMENTS_MAX, &name), 0);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        DbStatement both[] = {statements[ITEM_LIST], wrong[i]};
        assert_int_equal(db_check(*state, both, 2, &name), -EINVAL);
        assert_string_equal(name, wrong[i].name);
        assert_spoils(*state, (Step){&wrong[i], PARAMS(DB_INT(1), DB_INT(1)), 9}, -EINVAL);
    }
    assert_int_equal(db_check(*state, statements, _STATEMENTS_MAX, &name), 0);
    assert_int_equal(count_items(*state), 1);
}

static void question_marks_that_are_no_parameters(void **state) {
    static const DbStatement odd = {"odd",
                                    "INSERT INTO contract_item (id, word) -- what? 'really?'\n"
                                    "VALUES (?, 'who? ''me?'' ' /* ? \" */ || ?)",
                                    2, 0};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Steps steps = STEPS(arena, {&odd, PARAMS(DB_INT(1), DB_TEXT(str_lit("you?")))});

    assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    assert_value(get_item(*state, 1, arena)[0], DB_TEXT(str_lit("who? 'me?' you?")));
}

static void reading_does_not_write(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    static char script[] = "DELETE FROM contract_item;";
    Step writing[] = {
        {&statements[ITEM_ADD], PARAMS(DB_INT(2), DB_NULL, DB_NULL)},
        {&statements[ITEM_ADD_RETURNING], PARAMS(DB_INT(2), DB_NULL, DB_NULL), 1},
        {&statements[ITEM_REMOVE], PARAMS(DB_INT(1))},
    };

    assert_int_equal(add_item(*state, 1, DB_NULL, DB_NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(writing); i++) {
        Steps steps = STEPS(arena, writing[i]);
        assert_int_equal(db_read(*state, NULL, run_steps, &steps), -EROFS);
    }
    assert_int_equal(db_read(*state, NULL, run_script, script), -EROFS);
    assert_int_equal(count_items(*state), 1);
}

static void a_script_is_all_or_nothing(void **state) {
    static char good[] = "INSERT INTO contract_item (id) VALUES (1); -- one; and\n"
                         "INSERT INTO contract_item (id, word) VALUES (2, ';');\n";
    static char bad[] = "INSERT INTO contract_item (id) VALUES (3);\n"
                        "INSERT INTO contract_nothing (id) VALUES (4);\n";
    static char taken[] = "INSERT INTO contract_item (id) VALUES (3);\n"
                          "INSERT INTO contract_item (id) VALUES (1);\n";

    assert_int_equal(db_write(*state, run_script, good, NULL), 0);
    assert_int_equal(count_items(*state), 2);
    assert_int_equal(db_write(*state, run_script, bad, NULL), -EINVAL);
    assert_int_equal(db_write(*state, run_script, taken, NULL), DB_E_EXISTS);
    assert_int_equal(count_items(*state), 2);
}

static void a_token_leads_to_what_was_written(void **state) {
    DbToken token, foreign;

    for (int64_t id = 1; id <= 20; id++) {
        Steps add = STEPS(NULL, {&statements[ITEM_ADD], PARAMS(DB_INT(id), DB_NULL, DB_NULL)});
        _cleanup_(arena_freep) Arena *arena = arena_new();
        Steps get = STEPS(arena, {&statements[ITEM_GET], PARAMS(DB_INT(id)), 1});
        DbToken parsed;
        memset(&token, 'x', sizeof(token));
        assert_int_equal(db_write(*state, run_steps, &add, &token), 0);
        assert_int_equal(db_token_parse(str_from(token.text), &parsed), 0);
        assert_int_equal(db_read(*state, &parsed, run_steps, &get), 0);
        assert_int_equal(get.steps[0].rows.n_rows, 1);
    }
    /* What a client made up costs a look at the primary, no more. */
    assert_int_equal(db_token_parse(str_lit("FFFFFFFF/FFFFFFFF"), &foreign), 0);
    assert_int_equal(db_read(*state, &foreign, run_steps, &(Steps){0}), 0);
    assert_int_equal(db_token_parse(str_lit("no-such_token"), &foreign), 0);
    assert_int_equal(db_read(*state, &foreign, run_steps, &(Steps){0}), 0);
}

static void tokens_from_outside_are_checked(void **state) {
    const Str wrong[] = {str_lit("with blank"), str_lit("a\nb"), str_lit("a\0b"),
                         str_lit("12345678901234567890123456789012"), str_lit("\xc3\xab")};
    DbToken token;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(db_token_parse(wrong[i], &token), -EINVAL);
    }
    assert_int_equal(db_token_parse(str_lit("1234567890123456789012345678901"), &token), 0);
    assert_int_equal(db_token_parse((Str){0}, &token), 0);
    assert_string_equal(token.text, "");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_come_back_as_they_went_in, empty_tables),
        cmocka_unit_test_setup(large_values_come_back_whole, empty_tables),
        cmocka_unit_test_setup(numbers_keep_every_bit, empty_tables),
        cmocka_unit_test_setup(text_must_be_text, empty_tables),
        cmocka_unit_test_setup(parameters_do_not_stay_from_the_last_time, empty_tables),
        cmocka_unit_test_setup(anything_but_0_rolls_back, empty_tables),
        cmocka_unit_test_setup(a_transaction_sees_what_it_wrote, empty_tables),
        cmocka_unit_test_setup(a_key_that_is_taken_is_said_and_spoils_the_transaction,
                               empty_tables),
        cmocka_unit_test_setup(rules_of_the_tables_hold, empty_tables),
        cmocka_unit_test_setup(what_was_changed_is_counted, empty_tables),
        cmocka_unit_test_setup(rows_come_from_statements_that_write, empty_tables),
        cmocka_unit_test_setup(no_more_rows_than_asked_for, empty_tables),
        cmocka_unit_test_setup(one_row_or_none, empty_tables),
        cmocka_unit_test_setup(identifiers_or_what_is_stored_is_wrong, empty_tables),
        cmocka_unit_test_setup(mistakes_in_statements_are_found_before_they_run, empty_tables),
        cmocka_unit_test_setup(question_marks_that_are_no_parameters, empty_tables),
        cmocka_unit_test_setup(reading_does_not_write, empty_tables),
        cmocka_unit_test_setup(a_script_is_all_or_nothing, empty_tables),
        cmocka_unit_test_setup(a_token_leads_to_what_was_written, empty_tables),
        cmocka_unit_test(tokens_from_outside_are_checked),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    return cmocka_run_group_tests(tests, open_db, close_db);
}
