/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/device_store.h"

#include "base/error.h"
#include "base/test.h"

#define CODES 4000

static void test_every_letter_is_as_likely(void **state) {
    unsigned counts[256] = {0};
    char code[USER_CODE_LEN + 1];
    const unsigned mean = CODES * USER_CODE_LEN / 20;

    (void)state;
    for (size_t i = 0; i < CODES; i++) {
        user_code_new(code);
        for (size_t at = 0; at < USER_CODE_LEN; at++) {
            counts[(unsigned char)code[at]]++;
        }
    }
    for (const char *letter = "BCDFGHJKLMNPQRSTVWXZ"; *letter; letter++) {
        /* Eight standard deviations of 1600: never by chance. */
        assert_in_range(counts[(unsigned char)*letter], mean - 320, mean + 320);
        counts[(unsigned char)*letter] = 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        assert_int_equal(counts[i], 0);
    }
}

static void reads_as(const char *typed, const char *want) {
    char code[USER_CODE_LEN + 1], shown[USER_CODE_SHOWN_SIZE];
    int r = user_code_normalise(str_from(typed), code);

    if (!want) {
        assert_int_equal(r, -EINVAL);
        return;
    }
    assert_int_equal(r, 0);
    user_code_show(code, shown);
    assert_string_equal(shown, want);
}

static void test_codes_are_read_however_they_are_typed(void **state) {
    (void)state;
    reads_as("wdjb mjht", "WDJB-MJHT");
    reads_as(" WDJBMJHT\t", "WDJB-MJHT");
    reads_as("W.D_J-B - MJHT", "WDJB-MJHT");
    reads_as("WDJBMJH", NULL);
    reads_as("WDJBMJHTT", NULL);
    reads_as("WDJBMJHA", NULL);
    reads_as("", NULL);
    assert_int_equal(user_code_normalise((Str){"WDJBMJH\0", 8}, (char[USER_CODE_LEN + 1]){0}),
                     -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_letter_is_as_likely),
        cmocka_unit_test(test_codes_are_read_however_they_are_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
