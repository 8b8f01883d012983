/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/test.h"

#include <errno.h>

static void numbers_are_read_strictly(void **state) {
    uint64_t u = 7;
    double d = 7;

    (void)state;
    assert_int_equal(str_to_u64(str_lit("18446744073709551615"), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(str_to_u64(str_lit("18446744073709551616"), &u), -ERANGE);
    assert_int_equal(str_to_u64(str_lit(""), &u), -EINVAL);
    assert_int_equal(str_to_u64(str_lit("-1"), &u), -EINVAL);
    assert_int_equal(str_to_u64(str_lit(" 1"), &u), -EINVAL);
    assert_int_equal(str_to_double(str_lit("-12.5e1"), &d), 0);
    assert_true(d == -125);
    assert_int_equal(str_to_double(str_lit("1e999"), &d), -ERANGE);
    assert_int_equal(str_to_double(str_lit("nan"), &d), -EINVAL);
    assert_int_equal(str_to_double(str_lit("0x10"), &d), -EINVAL);
    assert_int_equal(str_to_double(str_lit("1 "), &d), -EINVAL);
}

static void tokens_keep_empty_ones(void **state) {
    Str rest = str_lit("a,,b"), token;

    (void)state;
    assert_true(str_next_token(&rest, ",", &token) && str_equal(token, str_lit("a")));
    assert_true(str_next_token(&rest, ",", &token) && token.len == 0);
    assert_true(str_next_token(&rest, ",", &token) && str_equal(token, str_lit("b")));
    assert_false(str_next_token(&rest, ",", &token));
}

static void buffers_grow_and_stay_terminated(void **state) {
    _cleanup_(buf_done) Buf buf = BUF_INIT;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        buf_addf(&buf, "%d,", i % 10);
    }
    assert_int_equal(buf.len, 2000);
    assert_int_equal(strlen(buf_cstr(&buf)), 2000);
    assert_true(str_ends_with(buf_str(&buf), str_lit("8,9,")));
}

static void knows_utf8(void **state) {
    (void)state;
    assert_true(str_is_utf8(str_lit("")));
    assert_true(str_is_utf8(str_lit("a\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(str_is_utf8(str_lit("\xc3")));
    assert_false(str_is_utf8(str_lit("\xc0\xaf")));         /* overlong */
    assert_false(str_is_utf8(str_lit("\xed\xa0\x80")));     /* a surrogate */
    assert_false(str_is_utf8(str_lit("\xf4\x90\x80\x80"))); /* beyond U+10FFFF */
    assert_int_equal(str_utf8_sequence(str_lit("\xe2\x82\xac!")), 3);
    assert_int_equal(str_utf8_sequence(str_lit("")), 0);
}

static void stems_are_names_without_their_ending(void **state) {
    (void)state;
    assert_true(str_equal(str_file_stem(str_lit("a.b.jpg")), str_lit("a.b")));
    assert_true(str_equal(str_file_stem(str_lit("a")), str_lit("a")));
    assert_true(str_equal(str_file_stem(str_lit(".jpg")), str_lit(".jpg")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stems_are_names_without_their_ending),
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(tokens_keep_empty_ones),
        cmocka_unit_test(buffers_grow_and_stay_terminated),
        cmocka_unit_test(knows_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
