/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/cookie.h"

#include "base/test.h"

#include <errno.h>

static void writes_all_attributes(void **state) {
    const struct {
        HttpCookie cookie;
        const char *text;
    } cases[] = {
        {{.name = "a", .value = ""}, "a=; Path=/; SameSite=Lax"},
        {{.name = "a", .value = "b", .max_age_s = -5}, "a=b; Path=/; Max-Age=0; SameSite=Lax"},
        {{.name = "__Host-session",
          .value = "x_Y-1.~",
          .max_age_s = 86400,
          .same_site = HTTP_SAME_SITE_STRICT,
          .secure = true,
          .http_only = true},
         "__Host-session=x_Y-1.~; Path=/; Max-Age=86400; SameSite=Strict; Secure; HttpOnly"},
        {{.name = "n",
          .value = "v",
          .path = "/v1",
          .same_site = HTTP_SAME_SITE_NONE,
          .secure = true},
         "n=v; Path=/v1; SameSite=None; Secure"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *text = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(http_cookie_format(&cases[i].cookie, arena, &text), 0);
        assert_string_equal(text, cases[i].text);
    }
}

static void refuses_what_a_browser_would(void **state) {
    const HttpCookie cases[] = {
        {.name = "", .value = "v"},
        {.name = "a b", .value = "v"},
        {.name = "a=b", .value = "v"},
        {.name = "a", .value = "v; Path=/x"},
        {.name = "a", .value = "v\r\nX: y"},
        {.name = "a", .value = "\xc3\xb6"},
        {.name = "a", .value = "v", .path = "v1"},
        {.name = "a", .value = "v", .path = "/v1; Domain=x"},
        {.name = "a", .value = "v", .same_site = HTTP_SAME_SITE_NONE},
        {.name = "__Host-a", .value = "v"},
        {.name = "__host-a", .value = "v"},
        {.name = "__Host-a", .value = "v", .secure = true, .path = "/v1"},
        {.name = "__Secure-a", .value = "v"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *text = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(http_cookie_format(&cases[i], arena, &text), -EINVAL);
    }
    assert_null(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_all_attributes),
        cmocka_unit_test(refuses_what_a_browser_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
