/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/migrations.h"
#include "base/test.h"

#include <errno.h>

static int render(const char *sql, DbDialect dialect, unsigned partitions, Buf *out) {
    const Migration migration = {1, "it", {{sql, ""}, {sql, ""}}};
    const char *error = NULL;
    int r = migration_sql(&migration, dialect, partitions, out, &error);

    assert_true(r == 0 || error);
    return r;
}

static void assert_renders(const char *sql, DbDialect dialect, unsigned partitions,
                           const char *expected) {
    _cleanup_(buf_done) Buf out = BUF_INIT;

    assert_int_equal(render(sql, dialect, partitions, &out), 0);
    assert_string_equal(buf_cstr(&out), expected);
}

static const char parted[] = "SELECT 1;\n"
                             "-- @partition by hash (user_id)\n"
                             "CREATE TABLE t (\n"
                             "    a TEXT DEFAULT ';', -- no; end\n"
                             "    \"b;\" TEXT /* ; */\n"
                             ");\n"
                             "CREATE INDEX i ON t (a);\n";

static void a_partitioned_table_gets_its_partitions(void **state) {
    (void)state;
    assert_renders(parted, DB_DIALECT_POSTGRES, 2,
                   "SELECT 1;\n"
                   "CREATE TABLE t (\n"
                   "    a TEXT DEFAULT ';', -- no; end\n"
                   "    \"b;\" TEXT /* ; */\n"
                   ") PARTITION BY HASH (user_id);\n"
                   "CREATE TABLE t_p0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);\n"
                   "CREATE TABLE t_p1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);\n"
                   "\nCREATE INDEX i ON t (a);\n");
}

static void elsewhere_it_is_a_table_like_others(void **state) {
    static const char plain[] = "SELECT 1;\n"
                                "CREATE TABLE t (\n"
                                "    a TEXT DEFAULT ';', -- no; end\n"
                                "    \"b;\" TEXT /* ; */\n"
                                ");\n\n"
                                "CREATE INDEX i ON t (a);\n";

    (void)state;
    assert_renders(parted, DB_DIALECT_SQLITE, 16, plain);
    assert_renders(parted, DB_DIALECT_POSTGRES, 0, plain);
    assert_renders("", DB_DIALECT_POSTGRES, 2, "");
    assert_renders("-- a comment @partition\nSELECT ';-- @';\n", DB_DIALECT_POSTGRES, 2,
                   "-- a comment @partition\nSELECT ';-- @';\n");
}

static void a_wrong_directive_is_refused_everywhere(void **state) {
    const char *const wrong[] = {
        "-- @partition by range (user_id)\nCREATE TABLE t (a TEXT);\n",
        "-- @partition by hash (user_id\nCREATE TABLE t (a TEXT);\n",
        "-- @partition by hash ()\nCREATE TABLE t (a TEXT);\n",
        "-- @partition by hash (user_id)",
        "-- @partition by hash (user_id)\n",
        "-- @partition by hash (user_id)\nCREATE INDEX i ON t (a);\n",
        "-- @partition by hash (user_id)\nCREATE TABLE ;\n",
        "-- @partition by hash (user_id)\nCREATE TABLE t (a TEXT)\n",
        "-- @partition by hash (user_id)\nCREATE TABLE t (a TEXT DEFAULT ';",
        "SELECT 1; -- @partition by hash (user_id)\nCREATE TABLE t (a TEXT);\n",
        "-- @nothing\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        _cleanup_(buf_done) Buf one = BUF_INIT, two = BUF_INIT;
        assert_int_equal(render(wrong[i], DB_DIALECT_SQLITE, 2, &one), -EINVAL);
        assert_int_equal(render(wrong[i], DB_DIALECT_POSTGRES, 2, &two), -EINVAL);
    }
    _cleanup_(buf_done) Buf many = BUF_INIT;
    assert_int_equal(render(parted, DB_DIALECT_POSTGRES, MIGRATION_PARTITIONS_MAX + 1, &many),
                     -EINVAL);
}

static void those_in_the_binary_are_in_order(void **state) {
    (void)state;
    for (size_t i = 0; migrations_embedded[i].number > 0; i++) {
        const Migration *migration = &migrations_embedded[i];
        const char *error = "";
        assert_int_equal(migration->number, i + 1);
        for (DbDialect dialect = 0; dialect < _DB_DIALECT_MAX; dialect++) {
            _cleanup_(buf_done) Buf out = BUF_INIT;
            assert_int_equal(strlen(migration->texts[dialect].sha256), 64);
            assert_int_equal(migration_sql(migration, dialect, 16, &out, &error), 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partitioned_table_gets_its_partitions),
        cmocka_unit_test(elsewhere_it_is_a_table_like_others),
        cmocka_unit_test(a_wrong_directive_is_refused_everywhere),
        cmocka_unit_test(those_in_the_binary_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
