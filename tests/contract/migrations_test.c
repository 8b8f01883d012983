/* SPDX-License-Identifier: Apache-2.0 */

/* Migrations on any engine: in order, once, all or nothing, and only those that are known. */

#include "adapters/db/migrations.h"
#include "base/clock.h"
#include "db_testing.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define STARTING   6
#define PARTITIONS 4

/* From tests/contract/migrations. */
extern const Migration migrations_of_test[];

static const DbStatement first_words = {"first_words",
                                        "SELECT word FROM contract_first ORDER BY id", 0, 1};
static const DbStatement parted_add = {
    "parted_add", "INSERT INTO contract_parted (user_id, id) VALUES (?, ?)", 2, 0};
static const DbStatement parted_count = {"parted_count", "SELECT count(*) FROM contract_parted", 0,
                                         1};
static const DbStatement record_add = {
    "record_add",
    "INSERT INTO schema_migration (number, name, sha256, applied_us) VALUES (?, ?, ?, 1)", 3, 0};
static const DbStatement record_remove = {"record_remove",
                                          "DELETE FROM schema_migration WHERE number = ?", 1, 0};

static const char *url;
static Arena *arena;

static int open_db(void **state) {
    Db *db = NULL;

    arena = arena_new();
    if (db_engine_open(url, &db) != 0) {
        return -1;
    }
    *state = db;
    return 0;
}

static int close_db(void **state) {
    *state = db_free(*state);
    arena = arena_free(arena);
    return 0;
}

static int nothing_there(void **state) {
    static char script[] = "DROP TABLE IF EXISTS contract_first;\n"
                           "DROP TABLE IF EXISTS contract_parted;\n"
                           "DROP TABLE IF EXISTS contract_good;\n"
                           "DROP TABLE IF EXISTS schema_migration;\n"
                           "DROP TABLE IF EXISTS schema_migration_lock;\n";

    return db_write(*state, run_script, script, NULL);
}

static void assert_up(Db *db, const Migration *migrations, size_t n) {
    const char *error = "";
    size_t n_applied = 99;
    int r = migrations_up(db, migrations, PARTITIONS, arena, &n_applied, &error);

    assert_string_equal(error, "");
    assert_int_equal(r, 0);
    assert_int_equal(n_applied, n);
}

/* Both refuse, and say so in the same words. */
static void assert_mismatch(Db *db, const Migration *migrations, const char *says) {
    const char *error = "", *error_up = "";
    MigrationList list;
    size_t n;

    assert_int_equal(migrations_list(db, migrations, arena, &list, &error), MIGRATIONS_E_MISMATCH);
    assert_int_equal(migrations_up(db, migrations, PARTITIONS, arena, &n, &error_up),
                     MIGRATIONS_E_MISMATCH);
    assert_string_equal(error, error_up);
    if (!strstr(error, says)) {
        fail_msg("'%s' does not say '%s'", error, says);
    }
}

static MigrationList get_list(Db *db) {
    const char *error = "";
    MigrationList list = {0};

    assert_int_equal(migrations_list(db, migrations_of_test, arena, &list, &error), 0);
    return list;
}

static DbRows get_rows(Db *db, const DbStatement *statement) {
    Steps steps = STEPS(arena, {statement, NULL, 100});

    assert_int_equal(db_read(db, NULL, run_steps, &steps), 0);
    return steps.steps[0].rows;
}

static void assert_words(Db *db) {
    DbRows rows = get_rows(db, &first_words);
    const char *twin = db_dialect(db) == DB_DIALECT_SQLITE ? "sqlite integer" : "postgres integer";

    assert_int_equal(rows.n_rows, 2);
    assert_true(str_equal(rows.values[0].bytes, str_lit("one; and 'two' \\ ?")));
    assert_true(str_equal(rows.values[1].bytes, str_from(twin)));
}

static void all_are_applied_once_and_in_order(void **state) {
    int64_t before = clock_unix_us();
    MigrationList list = get_list(*state);

    assert_int_equal(list.n_entries, 3);
    assert_int_equal(list.n_pending, 3);
    assert_int_equal(list.entries[0].applied_us, 0);
    assert_up(*state, migrations_of_test, 3);
    list = get_list(*state);
    assert_int_equal(list.n_pending, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.entries[i].migration->number, i + 1);
        assert_true(list.entries[i].applied_us >= before);
        assert_true(list.entries[i].applied_us <= clock_unix_us());
    }
    assert_words(*state);
    assert_up(*state, migrations_of_test, 0);
    assert_words(*state);
}

static void a_later_version_goes_on_where_the_last_stopped(void **state) {
    Migration earlier[] = {migrations_of_test[0], migrations_of_test[1], {0}};

    assert_up(*state, earlier, 2);
    assert_int_equal(get_list(*state).n_pending, 1);
    assert_up(*state, migrations_of_test, 1);
    assert_words(*state);
}

static void a_partitioned_table_holds_every_users_rows(void **state) {
    assert_up(*state, migrations_of_test, 3);
    for (int i = 0; i < 32; i++) {
        char user[16] = {(char)(i * 7), (char)i};
        Steps steps =
            STEPS(NULL, {&parted_add, PARAMS(DB_BLOB(((Str){user, sizeof(user)})), DB_INT(1))});
        assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    }
    assert_int_equal(get_rows(*state, &parted_count).values[0].integer, 32);
}

static void what_has_changed_since_is_refused(void **state) {
    Migration changed[4];

    memcpy(changed, migrations_of_test, sizeof(changed));
    assert_up(*state, migrations_of_test, 3);
    changed[1].texts[db_dialect(*state)].sha256 = changed[0].texts[0].sha256;
    assert_mismatch(*state, changed, "0002_twin has changed");
    memcpy(changed, migrations_of_test, sizeof(changed));
    changed[0].name = "other";
    assert_mismatch(*state, changed, "0001_first has changed");
    assert_up(*state, migrations_of_test, 0);
}

static void a_newer_version_is_refused(void **state) {
    Migration earlier[] = {migrations_of_test[0], {0}}, none[] = {{0}};

    assert_up(*state, migrations_of_test, 3);
    assert_mismatch(*state, earlier, "0002_twin is not known");
    assert_mismatch(*state, none, "newer version: migration 0001_first");
}

static void a_gap_is_refused(void **state) {
    Steps steps = STEPS(NULL, {&record_remove, PARAMS(DB_INT(2))});

    assert_up(*state, migrations_of_test, 3);
    assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    assert_mismatch(*state, migrations_of_test, "0002 was not applied, but 0003_parted was");
}

/* A name of any length, from a database that is not ours to trust, is not printed whole. */
static void a_foreign_record_is_quoted_in_part(void **state) {
    char name[5000];
    Steps steps;

    memset(name, 'n', sizeof(name));
    assert_up(*state, migrations_of_test, 3);
    steps = STEPS(NULL, {&record_add, PARAMS(DB_INT(INT64_MAX), DB_TEXT(((Str){name, 5000})),
                                             DB_TEXT(str_lit("")))});
    assert_int_equal(db_write(*state, run_steps, &steps, NULL), 0);
    assert_mismatch(*state, migrations_of_test, "9223372036854775807_nnn");
}

static void one_that_fails_leaves_nothing_of_itself(void **state) {
    const char *sql = "CREATE TABLE contract_good (id BIGINT NOT NULL PRIMARY KEY);\n"
                      "INSERT INTO contract_nothing (id) VALUES (1);\n";
    Migration some[] = {
        migrations_of_test[0], {2, "bad", {{sql, "b"}, {sql, "b"}}}, {3, "never", {{0}}}, {0}};
    const char *error = "";
    MigrationList list;
    size_t n = 0;

    assert_int_equal(migrations_up(*state, some, 0, arena, &n, &error), -EINVAL);
    assert_non_null(strstr(error, "0002_bad could not be applied"));
    assert_int_equal(migrations_list(*state, some, arena, &list, &error), 0);
    assert_int_equal(list.n_pending, 2);
    some[1].texts[0].sql = some[1].texts[1].sql =
        "CREATE TABLE contract_good (id BIGINT NOT NULL PRIMARY KEY);\n";
    some[2] = (Migration){0};
    assert_up(*state, some, 1);
}

static void *start_one(void *userdata) {
    _cleanup_(arena_freep) Arena *own = arena_new();
    const char *error = "";
    size_t *n = userdata;
    Db *db = NULL;
    int r = db_engine_open(url, &db);

    if (r == 0) {
        r = migrations_up(db, migrations_of_test, PARTITIONS, own, n, &error);
        db_free(db);
    }
    if (r != 0) {
        fprintf(stderr, "%s\n", error);
    }
    return (void *)(intptr_t)r;
}

static void several_that_start_at_once_apply_each_once(void **state) {
    pthread_t threads[STARTING];
    size_t applied[STARTING] = {0}, sum = 0;

    for (size_t i = 0; i < STARTING; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, start_one, &applied[i]), 0);
    }
    for (size_t i = 0; i < STARTING; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_int_equal((intptr_t)result, 0);
        sum += applied[i];
    }
    assert_int_equal(sum, 3);
    assert_words(*state);
    assert_int_equal(get_list(*state).n_pending, 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_are_applied_once_and_in_order, nothing_there),
        cmocka_unit_test_setup(a_later_version_goes_on_where_the_last_stopped, nothing_there),
        cmocka_unit_test_setup(a_partitioned_table_holds_every_users_rows, nothing_there),
        cmocka_unit_test_setup(what_has_changed_since_is_refused, nothing_there),
        cmocka_unit_test_setup(a_newer_version_is_refused, nothing_there),
        cmocka_unit_test_setup(a_gap_is_refused, nothing_there),
        cmocka_unit_test_setup(a_foreign_record_is_quoted_in_part, nothing_there),
        cmocka_unit_test_setup(one_that_fails_leaves_nothing_of_itself, nothing_there),
        cmocka_unit_test_setup(several_that_start_at_once_apply_each_once, nothing_there),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    return cmocka_run_group_tests(tests, open_db, close_db);
}
