/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/netguard.h"
#include "base/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

static bool permits(const Netguard *guard, const char *text) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return netguard_permits(guard, (struct sockaddr *)&v4);
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1) {
        fail_msg("%s is not an address", text);
    }
    return netguard_permits(guard, (struct sockaddr *)&v6);
}

/* The first and the last address of each range. */
static const char *const refused[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200", /* metadata */
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254", /* metadata */
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192", /* metadata */
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.255",
    "192.88.99.0",
    "192.88.99.255",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "::8.8.8.8",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::",
    "100::ffff:ffff:ffff:ffff",
    "2001::",
    "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:1ff:ffff::",
    "2001:db8::",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::",
    "2002:7f00:1::",
    "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff::",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::",
    "5f00::",
    "fc00::",
    "fd00:ec2::254", /* metadata */
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::",
    "fe80::1",
    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fec0::",
    "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "ff00::",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

/* Their neighbours outside, and addresses of well-known public servers. */
static const char *const permitted[] = {
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "8.8.8.8",
    "2000::",
    "2001:200::",
    "2001:4860:4860::8888",
    "2001:db7:ffff::",
    "2001:db9::",
    "2003::",
    "2606:4700::1111",
    "2a00:1450::",
    "3ffe:ffff::",
    "3fff:1000::",
};

static void only_public_unicast_is_permitted(void **state) {
    const Netguard guard = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (permits(&guard, refused[i])) {
            fail_msg("%s is permitted", refused[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(permitted); i++) {
        if (!permits(&guard, permitted[i])) {
            fail_msg("%s is refused", permitted[i]);
        }
    }
}

static void other_families_are_refused(void **state) {
    const Netguard guard = {0};
    const struct sockaddr_un local = {.sun_family = AF_UNIX};

    (void)state;
    assert_false(netguard_permits(&guard, (const struct sockaddr *)&local));
}

static void configuration_makes_exceptions(void **state) {
    Netguard guard = {0};
    Str at;

    (void)state;
    assert_int_equal(netguard_allow(&guard, str_lit("10.1.0.0/16, fd00::/8,,127.0.0.1"), &at), 0);
    assert_int_equal(netguard_allow(&guard, str_lit("192.168.1.128/25"), &at), 0);
    assert_int_equal(netguard_allow(&guard, str_lit(""), &at), 0);
    assert_int_equal(guard.n_allowed, 4);
    assert_true(permits(&guard, "10.1.255.255"));
    assert_false(permits(&guard, "10.2.0.0"));
    assert_true(permits(&guard, "fdff::1"));
    assert_false(permits(&guard, "fc00::1"));
    assert_true(permits(&guard, "127.0.0.1"));
    assert_false(permits(&guard, "127.0.0.2"));
    assert_false(permits(&guard, "::ffff:127.0.0.1"));
    assert_true(permits(&guard, "192.168.1.128"));
    assert_false(permits(&guard, "192.168.1.127"));
    assert_true(permits(&guard, "8.8.8.8"));
}

static void wrong_ranges_are_named(void **state) {
    static const char *const wrong[] = {
        "10.0.0.0/33",  "10.0.0/8",    "fd00::/129",
        "fd00::/",      "10.0.0.0/-1", "localhost",
        "10.0.0.0/8/8", "0x7f.1",      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/1"};
    Netguard guard = {0};
    Str at;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        _cleanup_(buf_done) Buf list = BUF_INIT;
        buf_addf(&list, "10.0.0.0/8, %s ,127.0.0.1", wrong[i]);
        assert_int_equal(netguard_allow(&guard, buf_str(&list), &at), -EINVAL);
        assert_true(str_equal(at, str_from(wrong[i])));
    }
    assert_int_equal(guard.n_allowed, 0);
    for (size_t i = 0; i < NETGUARD_RANGES_MAX; i++) {
        assert_int_equal(netguard_allow(&guard, str_lit("10.0.0.0/8"), &at), 0);
    }
    assert_int_equal(netguard_allow(&guard, str_lit("10.0.0.0/8"), &at), -E2BIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_unicast_is_permitted),
        cmocka_unit_test(other_families_are_refused),
        cmocka_unit_test(configuration_makes_exceptions),
        cmocka_unit_test(wrong_ranges_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
