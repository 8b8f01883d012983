/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/cache/redis/url.h"

#include "base/error.h"
#include "base/test.h"

typedef struct Case {
    const char *text, *host, *port, *user, *password;
    unsigned database;
} Case;

static void reads_all_parts(void **state) {
    static const Case cases[] = {
        {"redis://localhost", "localhost", "6379", "", "", 0},
        {"redis://localhost/", "localhost", "6379", "", "", 0},
        {"redis://10.0.0.1:6380/3", "10.0.0.1", "6380", "", "", 3},
        {"redis://[::1]:7000/15", "::1", "7000", "", "", 15},
        {"redis://[2001:db8::7]", "2001:db8::7", "6379", "", "", 0},
        {"redis://:secret@cache.internal:1", "cache.internal", "1", "", "secret", 0},
        {"redis://app:p%40ss%2Fw%3aord@h:65535/1", "h", "65535", "app", "p@ss/w:ord", 1},
        {"redis://a%3Ab:c:d@h", "h", "6379", "a:b", "c:d", 0},
        {"redis://app:p@ss@h", "h", "6379", "app", "p@ss", 0},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    RedisUrl url;
    const char *error;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const Case *c = &cases[i];
        assert_int_equal(redis_url_parse(c->text, arena, &url, &error), 0);
        assert_string_equal(url.host, c->host);
        assert_string_equal(url.port, c->port);
        assert_string_equal(url.user, c->user);
        assert_int_equal(url.password.len, strlen(c->password));
        assert_memory_equal(url.password.ptr, c->password, url.password.len);
        assert_int_equal(url.database, c->database);
    }
}

static void refuses_the_rest_and_repeats_no_secret(void **state) {
    static const char *const wrong[] = {
        "",
        "redis:",
        "redis://",
        "memory",
        "http://h",
        "redis:///1",
        "redis://:6379",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:",
        "redis://h:x",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/100001",
        "redis://h/1/2",
        "redis://[::1",
        "redis://[::1]x",
        "redis://[]",
        "redis://hunter2@h",
        "redis://hunter2:@h",
        "redis://u:hunter2%4@h",
        "redis://u:hunter2%zz@h",
        "redis://u:hunter2%00@h",
        "redis://u:hunter2@h h",
        "redis://u:hunter2@",
        "rediss:/u:hunter2@h",
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    RedisUrl url;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *error = NULL;
        assert_int_equal(redis_url_parse(wrong[i], arena, &url, &error), -EINVAL);
        assert_non_null(error);
        assert_null(strstr(error, "hunter2"));
    }
}

static void the_scheme_says_whether_with_tls(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = "";
    RedisUrl url;

    (void)state;
    assert_int_equal(redis_url_parse("rediss://u:p@h:1/2", arena, &url, &error), 0);
    assert_true(url.tls);
    assert_string_equal(url.host, "h");
    assert_int_equal(url.database, 2);
    assert_int_equal(redis_url_parse("redis://h", arena, &url, &error), 0);
    assert_false(url.tls);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_parts),
        cmocka_unit_test(refuses_the_rest_and_repeats_no_secret),
        cmocka_unit_test(the_scheme_says_whether_with_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
