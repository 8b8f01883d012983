/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "app/listen_address.h"

static void reads_every_form(void **state) {
    static const struct {
        const char *text, *address;
        uint16_t port;
    } cases[] = {{"127.0.0.1:8080", "127.0.0.1", 8080},
                 {"0.0.0.0:0", "0.0.0.0", 0},
                 {"[::1]:80", "::1", 80},
                 {"9000", "127.0.0.1", 9000},
                 {":9000", "127.0.0.1", 9000},
                 {"localhost:1", "127.0.0.1", 1}};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ListenAddress address;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(listen_address_parse(cases[i].text, arena, &address), 0);
        assert_string_equal(address.address, cases[i].address);
        assert_int_equal(address.port, cases[i].port);
    }
}

static void refuses_the_rest(void **state) {
    static const char *const cases[] = {
        "",        "host:80",      "127.0.0.1",  "127.0.0.1:65536", "::1:80",
        "1.2.3:4", "127.0.0.1:-1", "127.0.0.1:", "[127.0.0.1"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ListenAddress address;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(listen_address_parse(cases[i], arena, &address) < 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(refuses_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
