/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/forwarded.h"

#include "base/test.h"

static void the_last_hop_that_is_no_proxy_is_the_client(void **state) {
    static const struct {
        const char *peer, *hops, *client;
    } cases[] = {
        {"127.0.0.2", "203.0.113.9", "203.0.113.9"},
        {"127.0.0.2", "2001:db8::1", "2001:db8::1"},
        {"127.0.0.2", "[2001:db8::1]:4711", "2001:db8::1"},
        {"127.0.0.2", " 203.0.113.9:4711 ", "203.0.113.9"},
        {"127.0.0.2", "::ffff:203.0.113.9", "203.0.113.9"},
        /* What the client itself wrote before it. */
        {"127.0.0.2", "198.51.100.1, 203.0.113.9", "203.0.113.9"},
        {"127.0.0.2", "127.0.0.2,203.0.113.9", "203.0.113.9"},
        /* Through two proxies of ours. */
        {"127.0.0.2", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"},
        {"fd00::7", "203.0.113.9,fd00::8", "203.0.113.9"},
        /* Only proxies: the one that is furthest away. */
        {"127.0.0.2", "10.1.2.4, 10.1.2.3", "10.1.2.4"},
        /* From anybody else it means nothing. */
        {"127.0.0.1", "203.0.113.9", "127.0.0.1"},
        {"203.0.113.7", "127.0.0.2", "203.0.113.7"},
        {"", "203.0.113.9", ""},
        /* What is no address is not walked past. */
        {"127.0.0.2", "", "127.0.0.2"},
        {"127.0.0.2", "unknown", "127.0.0.2"},
        {"127.0.0.2", "203.0.113.9,", "127.0.0.2"},
        {"127.0.0.2", "203.0.113.9, _hidden, 10.1.2.3", "10.1.2.3"},
        {"127.0.0.2", "[2001:db8::1", "127.0.0.2"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Netguard proxies = {0};
    Str at;

    (void)state;
    assert_int_equal(netguard_allow(&proxies, str_lit("127.0.0.2/32,10.0.0.0/8,fd00::/8"), &at), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(forwarded_peer(&proxies, cases[i].peer, str_from(cases[i].hops), arena),
                            cases[i].client);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_hop_that_is_no_proxy_is_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
