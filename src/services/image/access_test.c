/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "services/image/access.h"

#include "base/http/same_origin.h"

static void a_rebound_name_is_not_ours(void **state) {
    (void)state;
    assert_true(access_host_is_ours("127.0.0.1:8080", ""));
    assert_true(access_host_is_ours("localhost:8080", ""));
    assert_true(access_host_is_ours("LOCALHOST", ""));
    assert_true(access_host_is_ours("[::1]:8080", ""));
    assert_true(access_host_is_ours("192.168.1.20", ""));
    assert_false(access_host_is_ours("evil.example:8080", ""));
    assert_false(access_host_is_ours("127.0.0.1.evil.example", ""));
    assert_false(access_host_is_ours("", ""));
    assert_false(access_host_is_ours("[::1", ""));
    assert_false(access_host_is_ours(NULL, ""));
    assert_true(access_host_is_ours("photos.example:80", "a.example, photos.example"));
    assert_false(access_host_is_ours("x.photos.example", "photos.example"));
}

static void origin_must_be_the_host(void **state) {
    (void)state;
    assert_true(same_origin_is_host("http://127.0.0.1:8080", "127.0.0.1:8080"));
    assert_true(same_origin_is_host("https://photos.example", "photos.example"));
    assert_false(same_origin_is_host("http://127.0.0.1:9090", "127.0.0.1:8080"));
    assert_false(same_origin_is_host("null", "127.0.0.1:8080"));
    assert_false(same_origin_is_host("http://127.0.0.1:8080", NULL));
}

static void loopback_is_known_in_all_its_forms(void **state) {
    (void)state;
    assert_true(access_is_loopback("127.0.0.1"));
    assert_true(access_is_loopback("127.9.9.9"));
    assert_true(access_is_loopback("::1"));
    assert_true(access_is_loopback("::ffff:127.0.0.1"));
    assert_false(access_is_loopback("0.0.0.0"));
    assert_false(access_is_loopback("::"));
    assert_false(access_is_loopback("10.0.0.1"));
    assert_false(access_is_loopback("::ffff:10.0.0.1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rebound_name_is_not_ours),
        cmocka_unit_test(origin_must_be_the_host),
        cmocka_unit_test(loopback_is_known_in_all_its_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
