/* SPDX-License-Identifier: Apache-2.0 */
#include "app/assets.h"

#include "base/str.h"
#include "base/test.h"

#define PAGE_BYTES_MAX 60000

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

/* Whatever the page links to is in the table. */
static void test_links_lead_somewhere(void **state) {
    Str rest = body(asset_find("/"));
    Str token;
    size_t n = 0;

    (void)state;
    while (str_next_token(&rest, "\"", &token)) {
        if (token.len > 1 && token.ptr[0] == '/' && !memchr(token.ptr, '>', token.len)) {
            char path[64] = {0};

            assert_true(token.len < sizeof(path));
            memcpy(path, token.ptr, token.len);
            assert_non_null(asset_find(path));
            n++;
        }
    }
    assert_true(n >= 3);
}

static void test_unknown_paths_are_not_found(void **state) {
    (void)state;
    assert_null(asset_find(""));
    assert_null(asset_find("/index"));
    assert_null(asset_find("/../app.js"));
    assert_null(asset_find("/APP.JS"));
}

static void test_page_stays_small(void **state) {
    size_t bytes = 0;

    (void)state;
    for (const Asset *asset = assets; asset->path; asset++) {
        assert_int_equal(asset->etag[0], '"');
        assert_int_equal(strlen(asset->etag), 18);
        if (strcmp(asset->path, "/openapi.yaml") != 0) {
            bytes += asset->len;
        }
    }
    assert_in_range(bytes, 1, PAGE_BYTES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_served_at_the_root),
        cmocka_unit_test(test_links_lead_somewhere),
        cmocka_unit_test(test_unknown_paths_are_not_found),
        cmocka_unit_test(test_page_stays_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
