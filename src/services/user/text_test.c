/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/text.h"

#include "base/error.h"
#include "base/test.h"

static void canonical(const char *text, const char *want) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *email = NULL;
    int r = email_canonical(str_from(text), arena, &email);

    if (want) {
        assert_int_equal(r, 0);
        assert_string_equal(email, want);
    } else {
        assert_int_equal(r, -EINVAL);
    }
}

static void test_email_has_one_form(void **state) {
    (void)state;
    canonical("  Ada.Lovelace+photos@Example.COM ", "ada.lovelace+photos@example.com");
    canonical("o'brien@xn--bcher-kva.example", "o'brien@xn--bcher-kva.example");
}

static void test_email_that_is_none_is_refused(void **state) {
    static const char *const wrong[] = {
        "", "@", "a", "a@", "a@b", "@example.com", "a@@b.com", "a@b@c.com", ".a@b.com", "a.@b.com",
        "a..b@c.com", "a b@c.com", "a@b..com", "a@-b.com", "a@b-.com", "a@b.com.", "a@1.2.3.4",
        "a@[1.2.3.4]", "a\n@b.com", "a@b.com\r\nBcc: c@d.com", "\"a\"@b.com",
        /* Cyrillic a; full-width; a combining mark: they look like others' addresses. */
        "\xd0\xb0@example.com", "a@ex\xef\xbd\x81mple.com", "a@example\xcc\x81.com"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        canonical(wrong[i], NULL);
    }
}

static void test_email_has_bounds(void **state) {
    char text[EMAIL_LEN_MAX + 3];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + 65, "@example.com", 13);
    canonical(text, NULL); /* 65 before the @ */
    canonical(text + 1, text + 1);
    memset(text, 'a', sizeof(text) - 1);
    text[2] = '@';
    for (size_t i = 10; i < sizeof(text) - 2; i += 10) {
        text[i] = '.';
    }
    text[sizeof(text) - 1] = '\0';
    canonical(text, NULL); /* too long by one */
    text[EMAIL_LEN_MAX] = '\0';
    canonical(text, text);
}

static void test_text_is_plain(void **state) {
    (void)state;
    assert_true(text_is_plain("Zo\xc3\xab \xe5\xb1\xb1 \xf0\x9f\x93\xb7", 200));
    assert_true(text_is_plain("", 0));
    assert_false(text_is_plain("abc", 2));
    assert_false(text_is_plain("a\nb", 200));
    assert_false(text_is_plain("a\xe2\x80\xae"
                               "b",
                               200)); /* right-to-left override */
    assert_false(text_is_plain("a\xc2\x85", 200));
    assert_int_equal(text_characters("Zo\xc3\xab\xf0\x9f\x93\xb7"), 4);
}

static void test_locale_and_zone(void **state) {
    (void)state;
    assert_true(text_is_locale("de-CH") && text_is_locale(""));
    assert_false(text_is_locale("de_CH"));
    assert_true(text_is_zone("America/Argentina/Buenos_Aires") && text_is_zone("Etc/GMT+1"));
    assert_false(text_is_zone("../etc/passwd") || text_is_zone("/etc") || text_is_zone("a b"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_email_has_one_form),
        cmocka_unit_test(test_email_that_is_none_is_refused),
        cmocka_unit_test(test_email_has_bounds),
        cmocka_unit_test(test_text_is_plain),
        cmocka_unit_test(test_locale_and_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
