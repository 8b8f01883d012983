/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base32.h"
#include "base/crypto/totp.h"
#include "base/test.h"

#include <errno.h>

#define SECRET str_lit("12345678901234567890")

/* RFC 6238, appendix B (SHA1). */
static void codes_of_the_rfcs_times(void **state) {
    static const struct {
        uint64_t time_s;
        uint32_t code;
    } vectors[] = {{59, 94287082},         {1111111109, 7081804},  {1111111111, 14050471},
                   {1234567890, 89005924}, {2000000000, 69279037}, {20000000000, 65353130}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        assert_int_equal(totp_code(SECRET, vectors[i].time_s / 30, 8), vectors[i].code);
    }
}

static void a_code_is_good_for_its_step_and_both_neighbours(void **state) {
    Str code = str_lit("081804"); /* of 1111111109: step 37037036 */
    uint64_t step = 0;

    (void)state;
    for (int64_t now = 1111111080 - 30; now < 1111111080 + 60; now++) {
        step = 0;
        assert_int_equal(totp_verify(SECRET, code, now, &step), 0);
        assert_true(step == 37037036);
    }
    step = 1;
    assert_int_equal(totp_verify(SECRET, code, 1111111080 - 31, &step), TOTP_E_WRONG);
    assert_int_equal(totp_verify(SECRET, code, 1111111080 + 60, &step), TOTP_E_WRONG);
    assert_true(step == 1);
    assert_int_equal(totp_verify(SECRET, str_lit("287082"), 0, &step), 0); /* of 59: step 1 */
}

static void only_six_digits_are_a_code(void **state) {
    static const char *const wrong[] = {"",       "81804",  "0081804", "81804 ",
                                        " 81804", "081805", "+81804"};
    uint64_t step;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(totp_verify(SECRET, str_from(wrong[i]), 1111111109, &step), TOTP_E_WRONG);
    }
}

static void the_uri_is_what_apps_read(void **state) {
    _cleanup_(buf_done) Buf uri = BUF_INIT;

    (void)state;
    totp_uri(SECRET, str_lit("Image Sync"), str_lit("ada+x@example.com"), &uri);
    assert_string_equal(buf_cstr(&uri),
                        "otpauth://totp/Image%20Sync:ada%2Bx%40example.com"
                        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Image%20Sync"
                        "&algorithm=SHA1&digits=6&period=30");
}

/* RFC 4648 10, without the padding. */
static void base32_of_the_rfcs_bytes(void **state) {
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "MY"},
        {"fo", "MZXQ"},
        {"foo", "MZXW6"},
        {"foob", "MZXW6YQ"},
        {"fooba", "MZXW6YTB"},
        {"foobar", "MZXW6YTBOI"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str bytes;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        _cleanup_(buf_done) Buf text = BUF_INIT;
        base32_encode(str_from(pairs[i][0]), &text);
        assert_string_equal(buf_cstr(&text), pairs[i][1]);
        assert_int_equal(base32_decode(str_from(pairs[i][1]), arena, &bytes), 0);
        assert_true(str_equal(bytes, str_from(pairs[i][0])));
    }
    assert_int_equal(base32_decode(str_lit("mzxw6"), arena, &bytes), 0);
    assert_true(str_equal(bytes, str_lit("foo")));
}

static void base32_refuses_all_else(void **state) {
    static const char *const wrong[] = {
        "M", "MZX", "MZXW6Y", "MZ", "MY======", "M1", "MZXW 6", "MZXW6\n", "M0", "M-"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str bytes;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(base32_decode(str_from(wrong[i]), arena, &bytes), -EINVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_the_rfcs_times),
        cmocka_unit_test(a_code_is_good_for_its_step_and_both_neighbours),
        cmocka_unit_test(only_six_digits_are_a_code),
        cmocka_unit_test(the_uri_is_what_apps_read),
        cmocka_unit_test(base32_of_the_rfcs_bytes),
        cmocka_unit_test(base32_refuses_all_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
