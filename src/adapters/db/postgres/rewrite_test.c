/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/rewrite.h"
#include "base/test.h"

#include <errno.h>

static void assert_rewritten(const char *sql, const char *expected, unsigned expected_n) {
    _cleanup_(buf_done) Buf out = BUF_INIT;
    unsigned n = 99;

    assert_int_equal(postgres_rewrite(sql, &out, &n), 0);
    assert_string_equal(buf_cstr(&out), expected);
    assert_int_equal(n, expected_n);
}

static void parameters_are_numbered(void **state) {
    (void)state;
    assert_rewritten("", "", 0);
    assert_rewritten("SELECT 1", "SELECT 1", 0);
    assert_rewritten("?", "$1", 1);
    assert_rewritten("a = ? AND b IN (?,?)", "a = $1 AND b IN ($2,$3)", 3);
    assert_rewritten("?????????? ?", "$1$2$3$4$5$6$7$8$9$10 $11", 11);
    assert_rewritten("a - ? / ? -? /?", "a - $1 / $2 -$3 /$4", 4);
}

static void quotes_are_left_alone(void **state) {
    (void)state;
    assert_rewritten("'?' ?", "'?' $1", 1);
    assert_rewritten("'it''s ?' ?", "'it''s ?' $1", 1);
    assert_rewritten("'\\' ? '?'", "'\\' $1 '?'", 1);
    assert_rewritten("E'\\'?' ?", "E'\\'?' $1", 1);
    assert_rewritten("name'\\' ?", "name'\\' $1", 1);
    assert_rewritten("\"odd\"\"?\" = ?", "\"odd\"\"?\" = $1", 1);
    assert_rewritten("$$?'$$ ?", "$$?'$$ $1", 1);
    assert_rewritten("$a$ ? $$ ? $a$ ?", "$a$ ? $$ ? $a$ $1", 1);
    assert_rewritten("a$b$ ? a$b$", "a$b$ $1 a$b$", 1);
}

static void comments_are_left_alone(void **state) {
    (void)state;
    assert_rewritten("-- ? '\n?", "-- ? '\n$1", 1);
    assert_rewritten("? -- ?", "$1 -- ?", 1);
    assert_rewritten("/* ? ' */ ?", "/* ? ' */ $1", 1);
    assert_rewritten("/* /* ? */ ? */ ?", "/* /* ? */ ? */ $1", 1);
    assert_rewritten("/*/ ? */ ?", "/*/ ? */ $1", 1);
}

static void what_does_not_end_is_refused(void **state) {
    static const char *const wrong[] = {"'?", "'''", "\"?", "/* ? ", "/* /* */", "$$ ?", "E'\\'"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        _cleanup_(buf_done) Buf out = BUF_INIT;
        unsigned n;
        assert_int_equal(postgres_rewrite(wrong[i], &out, &n), -EINVAL);
    }
}

static void no_more_parameters_than_the_port_allows(void **state) {
    static const char most[] = "????????????????????????????????"; /* 32 */
    _cleanup_(buf_done) Buf out = BUF_INIT, more = BUF_INIT;
    unsigned n;

    (void)state;
    assert_int_equal(postgres_rewrite(most, &out, &n), 0);
    assert_int_equal(n, 32);
    buf_addf(&more, "%s?", most);
    assert_int_equal(postgres_rewrite(buf_cstr(&more), &out, &n), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_numbered),
        cmocka_unit_test(quotes_are_left_alone),
        cmocka_unit_test(comments_are_left_alone),
        cmocka_unit_test(what_does_not_end_is_refused),
        cmocka_unit_test(no_more_parameters_than_the_port_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
