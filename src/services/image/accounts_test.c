/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "services/image/accounts.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* A reservation's id, which those of the configuration do not need. */
static const Uuid none;

static Accounts *accounts_of(const char *keys) {
    Accounts *accounts = NULL;
    const char *reterr = NULL;

    assert_int_equal(accounts_new(keys, 500, 500, &accounts, &reterr), 0);
    return accounts;
}

static void keys_are_found_by_all_of_their_bytes(void **state) {
    _cleanup_(accounts_freep) Accounts *accounts = accounts_of("alpha:10, beta ,gamma:0.25");
    uint64_t left = 0;

    (void)state;
    assert_non_null(accounts_find(accounts, str_lit("alpha")));
    assert_null(accounts_find(accounts, str_lit("alph")));
    assert_null(accounts_find(accounts, str_lit("alpha ")));
    assert_null(accounts_find(accounts, str_lit("alpha:10")));
    assert_null(accounts_find(accounts, (Str){0}));
    assert_int_equal(account_available(accounts_find(accounts, str_lit("alpha")), &left), 0);
    assert_int_equal(left, 1000);
    assert_int_equal(account_available(accounts_find(accounts, str_lit("beta")), &left),
                     ACCOUNT_E_UNLIMITED);
    assert_int_equal(account_available(accounts_find(accounts, str_lit("gamma")), &left), 0);
    assert_int_equal(left, 25);
    assert_string_not_equal(account_fingerprint(accounts_find(accounts, str_lit("alpha"))),
                            account_fingerprint(accounts_find(accounts, str_lit("beta"))));
}

static void wrong_settings_are_refused(void **state) {
    const char *const wrong[] = {"key:", "key:x", "key:1.234", "key:-1", "key:1.", ":5", "a:1:2"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        Accounts *accounts = NULL;
        const char *reterr = NULL;
        assert_int_equal(accounts_new(wrong[i], 500, 500, &accounts, &reterr), -EINVAL);
        assert_non_null(reterr);
        assert_null(accounts);
    }
}

static void a_failed_call_costs_nothing(void **state) {
    _cleanup_(accounts_freep) Accounts *accounts = accounts_of("key:1");
    Account *account = accounts_find(accounts, str_lit("key"));
    uint64_t left;

    (void)state;
    assert_int_equal(account_reserve(account, &none, CREDIT), 0);
    assert_int_equal(account_reserve(account, &none, CREDIT / 4), ACCOUNT_E_CREDITS);
    account_settle(account, &none, CREDIT, false);
    account_available(account, &left);
    assert_int_equal(left, CREDIT);
    assert_int_equal(account_reserve(account, &none, CREDIT), 0);
    account_settle(account, &none, CREDIT, true);
    account_available(account, &left);
    assert_int_equal(left, 0);
}

typedef struct Race {
    Account *account;
    atomic_uint granted;
} Race;

static void *spend(void *userdata) {
    Race *race = userdata;

    for (int i = 0; i < 1000; i++) {
        if (account_reserve(race->account, &none, CREDIT) == 0) {
            bool charge = i % 2 == 0;
            account_settle(race->account, &none, CREDIT, charge);
            race->granted += charge;
        }
    }
    return NULL;
}

static void parallel_calls_cannot_overdraw(void **state) {
    _cleanup_(accounts_freep) Accounts *accounts = accounts_of("key:300");
    Race race = {.account = accounts_find(accounts, str_lit("key"))};
    pthread_t threads[4];
    uint64_t left;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, spend, &race), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(race.granted, 300);
    account_available(race.account, &left);
    assert_int_equal(left, 0);
}

static void daily_caps_start_anew_each_day(void **state) {
    _cleanup_(accounts_freep) Accounts *accounts = accounts_of("key");
    Account *account = accounts_find(accounts, str_lit("key"));
    int64_t noon = 20000 * 86400ll + 43200;
    uint32_t wait_s = 0;

    (void)state;
    assert_true(account_cap_take(account, USAGE_CAP_IMPROVE_DAY, 2, noon, &wait_s));
    assert_true(account_cap_take(account, USAGE_CAP_IMPROVE_DAY, 2, noon, &wait_s));
    assert_false(account_cap_take(account, USAGE_CAP_IMPROVE_DAY, 2, noon + 43140, &wait_s));
    assert_int_equal(wait_s, 60);
    assert_true(account_cap_take(account, USAGE_CAP_SANDBOX_DAY, 1, noon, &wait_s));
    assert_true(account_cap_take(account, USAGE_CAP_IMPROVE_DAY, 2, noon + 43200, &wait_s));
}

static void monthly_caps_start_anew_each_month(void **state) {
    _cleanup_(accounts_freep) Accounts *accounts = accounts_of("key");
    Account *account = accounts_find(accounts, str_lit("key"));
    const int64_t december = 1764547200; /* the first of it, 2025 */
    const int64_t january = december + 31 * 86400ll;
    uint32_t wait_s = 0;

    (void)state;
    assert_true(account_cap_take(account, USAGE_CAP_SANDBOX_MONTH, 1, december, &wait_s));
    assert_false(account_cap_take(account, USAGE_CAP_SANDBOX_MONTH, 1, january - 1, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_true(account_cap_take(account, USAGE_CAP_SANDBOX_MONTH, 1, january, &wait_s));
    assert_false(account_cap_take(account, USAGE_CAP_SANDBOX_MONTH, 1, january, &wait_s));
    assert_int_equal(wait_s, 31 * 86400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_all_of_their_bytes),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(a_failed_call_costs_nothing),
        cmocka_unit_test(parallel_calls_cannot_overdraw),
        cmocka_unit_test(daily_caps_start_anew_each_day),
        cmocka_unit_test(monthly_caps_start_anew_each_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
