/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/path.h"

#include "base/test.h"

#include <errno.h>

static void decodes_escapes_and_refuses_broken_ones(void **state) {
    static const char *const broken[] = {"%", "%4", "a%4", "%zz", "%4g", "%00", "%c3", "%ff"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *text = NULL;

    (void)state;
    assert_int_equal(percent_decode(str_lit("a%20b%C3%B6%2f%25+"), arena, &text), 0);
    assert_string_equal(text, "a b\xc3\xb6/%+");
    assert_int_equal(percent_decode(str_lit(""), arena, &text), 0);
    assert_string_equal(text, "");
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        assert_int_equal(percent_decode(str_from(broken[i]), arena, &text), -EINVAL);
    }
}

static int match(Arena *arena, const char *path, const char *pattern, PathParam *ret_params) {
    PathSegments segments;

    assert_int_equal(path_split(path, arena, &segments), 0);
    return path_match(&segments, pattern, ret_params);
}

static void matches_segment_by_segment(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    PathParam params[PATH_PARAMS_MAX];

    (void)state;
    assert_int_equal(match(arena, "/", "/", params), 0);
    assert_int_equal(match(arena, "/v1/me", "/v1/me", params), 0);
    assert_int_equal(match(arena, "/v1/%6de", "/v1/me", params), 0);
    assert_int_equal(match(arena, "/v1/me/", "/v1/me", params), -1);
    assert_int_equal(match(arena, "/v1", "/v1/me", params), -1);
    assert_int_equal(match(arena, "/v1%2fme", "/v1/me", params), -1);
    assert_int_equal(match(arena, "/v1/s/", "/v1/s/{id}", params), -1);
    assert_int_equal(match(arena, "/v1/s/a/b", "/v1/s/{id}", params), -1);
    assert_int_equal(match(arena, "/v1/s/a%2Fb", "/v1/s/{id}", params), 1);
    assert_true(str_equal(params[0].name, str_lit("id")));
    assert_string_equal(params[0].value, "a/b");
    assert_int_equal(match(arena, "/v1/a/x/7", "/v1/{album}/x/{photo}", params), 2);
    assert_string_equal(params[0].value, "a");
    assert_true(str_equal(params[1].name, str_lit("photo")));
    assert_string_equal(params[1].value, "7");
}

static void refuses_what_is_no_path(void **state) {
    static const char *const broken[] = {"", "*", "v1", "/a%0ab", "/%7f", "/a/%", "/%fe"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    PathSegments segments;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        assert_int_equal(path_split(broken[i], arena, &segments), -EINVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_escapes_and_refuses_broken_ones),
        cmocka_unit_test(matches_segment_by_segment),
        cmocka_unit_test(refuses_what_is_no_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
