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

static void test_international_domain_has_one_form(void **state) {
    (void)state;
    canonical("Ada@b\xc3\xbc"
              "cher.example",
              "ada@xn--bcher-kva.example");
    /* Upper case, and the mark apart. */
    canonical("ada@B\xc3\x9c"
              "CHER.Example",
              "ada@xn--bcher-kva.example");
    canonical("ada@bu\xcc\x88"
              "cher.example",
              "ada@xn--bcher-kva.example");
    canonical("a@fa\xc3\x9f.de", "a@xn--fa-hia.de"); /* non-transitional: not fass.de */
    canonical("a@example\xcc\x81.com", "a@xn--exampl-gva.com");
    /* Cyrillic a: another domain, and seen to be one. */
    canonical("a@ex\xd0\xb0mple.com", "a@xn--exmple-4nf.com");
}

static void test_email_that_is_none_is_refused(void **state) {
    static const char *const wrong[] = {
        "", "@", "a", "a@", "a@b", "@example.com", "a@@b.com", "a@b@c.com", ".a@b.com", "a.@b.com",
        "a..b@c.com", "a b@c.com", "a@b..com", "a@-b.com", "a@b-.com", "a@b.com.", "a@1.2.3.4",
        "a@[1.2.3.4]", "a\n@b.com", "a@b.com\r\nBcc: c@d.com", "\"a\"@b.com",
        /* Cyrillic a; full-width letters and dots, ligatures, invisible ones: replaced by others.
         */
        "\xd0\xb0@example.com", "a@ex\xef\xbd\x81mple.com", "a@b\xe3\x80\x82jp",
        "a@\xef\xac\x81x.com", "a@b\xc2\xad.com", "a@b\xe2\x80\x8b.com",
        "a@\xf0\x9f\x92\xa9\xff.com", "a@\xc3\xbc", "a@\xcc\x81x.com", "a@-\xc3\xbc.com"};

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
    /* RFC 5646, appendix A. */
    static const char *const locales[] = {"de",
                                          "zh-Hant",
                                          "zh-cmn-Hans-CN",
                                          "sl-rozaj",
                                          "de-CH-1901",
                                          "es-419",
                                          "x-whatever",
                                          "de-CH-x-phonebk",
                                          "en-US-u-islamcal",
                                          "en-a-myext-b-another",
                                          "sl-Latn-IT-nedis"};
    static const char *const none[] = {"de_CH",     "d",       "de-",     "-de", "de--CH",
                                       "a-DE",      "de-x",    "de-a",    "1de", "de-419-DE",
                                       "abcdefghi", "de-CH-1", "\xc3\xa9"};

    (void)state;
    assert_true(text_is_locale("de-CH") && text_is_locale(""));
    for (size_t i = 0; i < ARRAY_LEN(locales); i++) {
        assert_true(text_is_locale(locales[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        assert_false(text_is_locale(none[i]));
    }
    assert_true(text_is_zone("America/Argentina/Buenos_Aires") && text_is_zone("Etc/GMT+1"));
    assert_false(text_is_zone("../etc/passwd") || text_is_zone("/etc") || text_is_zone("a b"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_email_has_one_form),
        cmocka_unit_test(test_international_domain_has_one_form),
        cmocka_unit_test(test_email_that_is_none_is_refused),
        cmocka_unit_test(test_email_has_bounds),
        cmocka_unit_test(test_text_is_plain),
        cmocka_unit_test(test_locale_and_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
