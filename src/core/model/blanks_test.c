/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/blanks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_what_is_written_is_read(void **state) {
    char text[BLANKS_TEXT_MAX + 1], again[BLANKS_TEXT_MAX + 1];
    Blanks blanks = {.n = 0}, read;

    (void)state;
    blanks_write(&blanks, text);
    assert_string_equal(text, "-");
    assert_int_equal(blanks_parse(str_from(text), 0, &read), 0);
    assert_true(blanks_add(&blanks, 4, 10, "ab", 2));
    assert_true(blanks_add(&blanks, 14, 2, NULL, 0));
    assert_false(blanks_add(&blanks, 15, 3, NULL, 0));
    assert_false(blanks_add(&blanks, 20, 1, "ab", 2));
    blanks_write(&blanks, text);
    assert_string_equal(text, "4+10=6162,14+2");
    assert_int_equal(blanks_parse(str_from(text), 16, &read), 0);
    blanks_write(&read, again);
    assert_string_equal(again, text);
}

static void test_what_is_none_is_refused(void **state) {
    static const char *const bad[] = {
        "",        "4",      "4+",     "+4",      "4+0",
        "4+13",    "17+1",   "4+4,",   "4+4,6+1", "4+2=616263",
        "4+4=6",   "4+4=6g", "4+4=AB", "-,1+1",   "99999999999999999999+1",
        "8+1,4+1", "4+-1",   "4+4 "};
    Blanks read;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(blanks_parse(str_from(bad[i]), 16, &read), -EINVAL);
    }
}

static void test_pieces_are_as_the_whole(void **state) {
    char whole[17] = "0123456789abcdef", piece[4];
    Blanks blanks;

    (void)state;
    assert_int_equal(blanks_parse(str_lit("3+6=7879,12+4"), 16, &blanks), 0);
    blanks_apply(&blanks, 0, whole, 16);
    assert_memory_equal(whole, "012xy\0\0\0\0009ab\0\0\0\0", 16);
    for (size_t at = 0; at < 16; at++) {
        size_t n = MIN((size_t)4, 16 - at);
        memcpy(piece, &"0123456789abcdef"[at], n);
        blanks_apply(&blanks, at, piece, n);
        assert_memory_equal(piece, whole + at, n);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_what_is_none_is_refused),
        cmocka_unit_test(test_pieces_are_as_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
