/* SPDX-License-Identifier: Apache-2.0 */
#include "app/assets.h"

#include "base/str.h"
#include "base/test.h"

#define PAGE_BYTES_MAX    61000
#define ACCOUNT_BYTES_MAX 100000 /* with what draws QR codes */

static Str body(const Asset *asset) {
    return (Str){(const char *)asset->bytes, asset->len};
}

static void test_page_is_served_at_the_root(void **state) {
    const Asset *page = asset_find("/");

    (void)state;
    assert_non_null(page);
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
    assert_true(str_starts_with(body(page), str_lit("<!doctype html>")));
    assert_true(str_ends_with(body(page), str_lit("</html>\n")));
}

/* Whatever a page links to is in the table. */
static size_t follow_links(const Asset *page) {
    Str rest = body(page);
    Str token;
    size_t n = 0;

    while (str_next_token(&rest, "\"", &token)) {
        if (token.len > 1 && token.ptr[0] == '/' && !memchr(token.ptr, '>', token.len)) {
            char path[64] = {0};

            assert_true(token.len < sizeof(path));
            memcpy(path, token.ptr, token.len);
            assert_non_null(asset_find(path));
            n++;
        }
    }
    return n;
}

static void test_links_lead_somewhere(void **state) {
    (void)state;
    for (const Asset *asset = assets; asset->path; asset++) {
        if (str_starts_with(str_from(asset->content_type), str_lit("text/html"))) {
            assert_true(follow_links(asset) >= 3);
        }
    }
}

/* They are what links in mails lead to. */
static void test_account_pages_are_served(void **state) {
    static const char *const paths[] = {"/account", "/account/sign-in", "/account/register",
                                        "/account/reset", "/account/email"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_non_null(asset_find(paths[i]));
        assert_string_equal(asset_find(paths[i])->content_type, "text/html; charset=utf-8");
    }
    assert_null(asset_find("/account/"));
    assert_null(asset_find("/account/sign-in.html"));
}

static void test_unknown_paths_are_not_found(void **state) {
    (void)state;
    assert_null(asset_find(""));
    assert_null(asset_find("/index"));
    assert_null(asset_find("/../app.js"));
    assert_null(asset_find("/APP.JS"));
}

static void test_page_stays_small(void **state) {
    size_t bytes = 0, account_bytes = 0;

    (void)state;
    for (const Asset *asset = assets; asset->path; asset++) {
        assert_int_equal(asset->etag[0], '"');
        assert_int_equal(strlen(asset->etag), 18);
        if (str_starts_with(str_from(asset->path), str_lit("/account")) ||
            str_starts_with(str_from(asset->path), str_lit("/qr"))) {
            account_bytes += asset->len;
        } else if (strcmp(asset->path, "/openapi.yaml") != 0) {
            bytes += asset->len;
        }
    }
    assert_in_range(bytes, 1, PAGE_BYTES_MAX);
    assert_in_range(account_bytes, 1, ACCOUNT_BYTES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_served_at_the_root),
        cmocka_unit_test(test_links_lead_somewhere),
        cmocka_unit_test(test_account_pages_are_served),
        cmocka_unit_test(test_unknown_paths_are_not_found),
        cmocka_unit_test(test_page_stays_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
