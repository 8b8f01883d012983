/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/events/kafka/address.h"

#include "base/test.h"

#include <errno.h>

static void the_parts_are_found(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *servers, *prefix, *error;

    (void)state;
    assert_int_equal(kafka_address_parse("kafka://a.example:9092,[::1]:9093/image-sync.x", arena,
                                         &servers, &prefix, &error),
                     0);
    assert_string_equal(servers, "a.example:9092,[::1]:9093");
    assert_string_equal(prefix, "image-sync.x");
}

static void what_is_wrong_is_refused(void **state) {
    static const char *const wrong[] = {
        "",
        "kafka",
        "kafka://",
        "kafka:///p",
        "kafka://host:1",
        "kafka://host:1/",
        "kafka://host/p",
        "kafka://host:/p",
        "kafka://:1/p",
        "kafka://host:0/p",
        "kafka://host:65536/p",
        "kafka://host:1,/p",
        "kafka://host:1,,host:2/p",
        "kafka://user@host:1/p",
        "kafka://host:1/a b",
        "kafka://host:1/a/b",
        "kafka://ho st:1/p",
        "redis://host:1/p",
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *servers, *prefix, *error = NULL;
        assert_int_equal(kafka_address_parse(wrong[i], arena, &servers, &prefix, &error), -EINVAL);
        assert_non_null(error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_are_found),
        cmocka_unit_test(what_is_wrong_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
