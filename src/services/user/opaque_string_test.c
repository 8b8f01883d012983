/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/opaque_string.h"

#include "base/error.h"
#include "base/test.h"

static void becomes(const char *text, const char *want) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *got = NULL;
    int r = opaque_string(str_from(text), arena, &got);

    if (want) {
        assert_int_equal(r, 0);
        assert_string_equal(got, want);
    } else {
        assert_int_equal(r, -EINVAL);
    }
}

/* RFC 8265 4.3, tables 4 and 5. */
static void test_examples_of_the_rfc(void **state) {
    (void)state;
    becomes("correct horse battery staple", "correct horse battery staple");
    becomes("Correct Horse Battery Staple", "Correct Horse Battery Staple");
    becomes("\xcf\x80\xc3\x9f\xc3\xa5", "\xcf\x80\xc3\x9f\xc3\xa5");
    becomes("Jack of \xe2\x99\xa6s", "Jack of \xe2\x99\xa6s");
    becomes("foo\xe1\x9a\x80"
            "bar",
            "foo bar"); /* OGHAM SPACE MARK */
    becomes("", NULL);
    becomes("my cat is a \tby", NULL);
}

static void test_one_form_of_what_looks_the_same(void **state) {
    (void)state;
    becomes("caf\xc3\xa9", "caf\xc3\xa9");
    becomes("cafe\xcc\x81", "caf\xc3\xa9"); /* as a Mac spells it */
    becomes("a\xc2\xa0"
            "b\xe3\x80\x80"
            "c",
            "a b c");                                    /* no-break and ideographic blanks */
    becomes("\xe2\x84\xab", "\xc3\x85");                 /* ANGSTROM SIGN */
    becomes("\xe1\x84\x92\xe1\x85\xa1", "\xed\x95\x98"); /* jamo that compose */
    becomes("\xef\xbd\x81", "\xef\xbd\x81");             /* width stays */
    becomes("\xf0\x9f\x94\x91 key", "\xf0\x9f\x94\x91 key");
}

static void test_what_is_refused(void **state) {
    static const char *const refused[] = {"a\x01",
                                          "a\x7f",
                                          "a\xc2\x85",
                                          "a\xe2\x80\xa8"
                                          "b", /* controls, a line separator */
                                          "a\xe2\x80\x8b"
                                          "b",
                                          "a\xef\xbb\xbf",
                                          "a\xc2\xad"
                                          "b", /* invisible */
                                          "a\xe2\x80\xae"
                                          "b", /* right-to-left override */
                                          "a\xee\x80\x80",
                                          "a\xcd\xb8",     /* private, unassigned */
                                          "a\xef\xbf\xbe", /* no character */
                                          "a\xe1\x84\x80", /* a jamo alone */
                                          "a\xd9\x80",     /* ARABIC TATWEEL */
                                          "a\xff",
                                          "a\xc3",
                                          "a\xed\xa0\x80"}; /* no UTF-8 */

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        becomes(refused[i], NULL);
    }
}

/* RFC 5892, appendix A. */
static void test_what_is_good_in_some_places(void **state) {
    (void)state;
    becomes("\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d", "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d");
    becomes("a\xe2\x80\x8d", NULL);
    becomes("\xd8\xa8\xe2\x80\x8c\xd8\xa8", "\xd8\xa8\xe2\x80\x8c\xd8\xa8");
    becomes("a\xe2\x80\x8c"
            "b",
            NULL);
    becomes("col\xc2\xb7lega", "col\xc2\xb7lega");
    becomes("a\xc2\xb7", NULL);
    becomes("\xe3\x82\xa2\xe3\x83\xbb", "\xe3\x82\xa2\xe3\x83\xbb");
    becomes("a\xe3\x83\xbb", NULL);
    becomes("\xd7\x90\xd7\xb3", "\xd7\x90\xd7\xb3");
    becomes("\xcd\xb5\xce\xb1", "\xcd\xb5\xce\xb1");
    becomes("\xd9\xa0\xd9\xa1", "\xd9\xa0\xd9\xa1");
    becomes("\xd9\xa0\xdb\xb1", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_rfc),
        cmocka_unit_test(test_one_form_of_what_looks_the_same),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_is_good_in_some_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
