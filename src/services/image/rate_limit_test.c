/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "services/image/rate_limit.h"

static void a_minutes_budget_may_be_used_at_once(void **state) {
    RateLimit limit;
    RateState now;

    (void)state;
    rate_limit_init(&limit, 500, 1000);
    for (int i = 0; i < 20; i++) {
        now = rate_limit_take(&limit, 0, 25, 1000);
        assert_true(now.granted);
    }
    assert_int_equal(now.limit, 500);
    assert_int_equal(now.remaining, 0);
    assert_int_equal(now.full_in_s, 60);
    now = rate_limit_take(&limit, 0, 25, 1000);
    assert_false(now.granted);
    assert_int_equal(now.retry_after_s, 3);
}

static void it_comes_back_at_an_even_pace(void **state) {
    RateLimit limit;

    (void)state;
    rate_limit_init(&limit, 60, 0);
    assert_true(rate_limit_take(&limit, 0, 60, 0).granted);
    assert_false(rate_limit_take(&limit, 0, 1, 999).granted);
    assert_true(rate_limit_take(&limit, 0, 1, 1000).granted);
    assert_false(rate_limit_take(&limit, 0, 1, 1000).granted);
    assert_int_equal(rate_limit_take(&limit, 0, 0, 31000).remaining, 30);
    assert_int_equal(rate_limit_take(&limit, 0, 0, 10000000).remaining, 60);
    /* A clock that stands still or steps back brings nothing. */
    assert_int_equal(rate_limit_take(&limit, 0, 60, 10000000).remaining, 0);
    assert_false(rate_limit_take(&limit, 0, 1, 5).granted);
}

static void a_picture_above_the_whole_budget_can_still_pass(void **state) {
    RateLimit limit;

    (void)state;
    rate_limit_init(&limit, 10, 0);
    assert_true(rate_limit_take(&limit, 0, 50, 0).granted);
    assert_false(rate_limit_take(&limit, 0, 50, 30000).granted);
    assert_true(rate_limit_take(&limit, 0, 50, 60000).granted);
}

static void what_was_paid_before_counts(void **state) {
    RateLimit limit;
    RateState now;

    (void)state;
    rate_limit_init(&limit, 60, 0);
    assert_true(rate_limit_take(&limit, 0, 1, 0).granted);
    assert_int_equal(rate_limit_take(&limit, 1, 25, 0).remaining, 35);
    assert_int_equal(rate_limit_take(&limit, 25, 25, 0).remaining, 35);
    /* Also when the price is all there is, or more. */
    rate_limit_init(&limit, 10, 0);
    assert_true(rate_limit_take(&limit, 0, 1, 0).granted);
    now = rate_limit_take(&limit, 1, 50, 0);
    assert_true(now.granted);
    assert_int_equal(now.remaining, 0);
}

static void who_waits_as_told_is_let_in(void **state) {
    RateLimit limit;
    uint64_t later;
    RateState now;

    (void)state;
    rate_limit_init(&limit, 10, 0);
    rate_limit_take(&limit, 0, 8, 0);
    assert_true(rate_limit_take(&limit, 0, 1, 0).granted);
    now = rate_limit_take(&limit, 1, 4, 0);
    assert_false(now.granted);
    assert_int_equal(now.remaining, 2);
    assert_int_equal(now.retry_after_s, 12);
    later = now.retry_after_s * 1000u;
    assert_true(rate_limit_take(&limit, 0, 1, later).granted);
    assert_true(rate_limit_take(&limit, 1, 4, later).granted);
}

static void zero_means_no_limit(void **state) {
    RateLimit limit;

    (void)state;
    rate_limit_init(&limit, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(rate_limit_take(&limit, 0, 50, 0).granted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minutes_budget_may_be_used_at_once),
        cmocka_unit_test(it_comes_back_at_an_even_pace),
        cmocka_unit_test(a_picture_above_the_whole_budget_can_still_pass),
        cmocka_unit_test(what_was_paid_before_counts),
        cmocka_unit_test(who_waits_as_told_is_let_in),
        cmocka_unit_test(zero_means_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
