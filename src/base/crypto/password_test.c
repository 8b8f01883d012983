/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/password.h"
#include "base/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static PasswordHasher *hasher_new(uint32_t ops, uint32_t parallel, uint32_t waiting,
                                  uint32_t wait_ms) {
    PasswordSettings settings = {ops, 1, parallel, waiting, wait_ms};
    PasswordHasher *hasher;

    assert_int_equal(password_hasher_new(&settings, &hasher), 0);
    return hasher;
}

/* From the test suite of the reference implementation (phc-winner-argon2). */
static void the_reference_hash_is_verified(void **state) {
    static const char hash[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
                               "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(1, 1, 0, 0);

    (void)state;
    assert_int_equal(password_verify(hasher, str_lit("password"), hash), 0);
    assert_int_equal(password_verify(hasher, str_lit("passwore"), hash), PASSWORD_E_WRONG);
    assert_true(password_needs_rehash(hasher, hash));
}

static void what_is_hashed_verifies(void **state) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(1, 1, 0, 0);
    _cleanup_(password_hasher_freep) PasswordHasher *stronger = hasher_new(2, 1, 0, 0);
    char hash[PASSWORD_HASH_SIZE], other[PASSWORD_HASH_SIZE], text[PASSWORD_LEN_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(password_hash(hasher, (Str){text, PASSWORD_LEN_MAX}, hash), 0);
    assert_int_equal(password_hash(hasher, (Str){text, PASSWORD_LEN_MAX}, other), 0);
    assert_true(str_starts_with(str_from(hash), str_lit("$argon2id$v=19$m=1024,t=1,p=1$")));
    assert_string_not_equal(hash, other);
    assert_int_equal(password_verify(hasher, (Str){text, PASSWORD_LEN_MAX}, hash), 0);
    assert_int_equal(password_verify(hasher, (Str){text, PASSWORD_LEN_MAX - 1}, hash),
                     PASSWORD_E_WRONG);
    /* Longer than a password may be, with the right beginning. */
    assert_int_equal(password_verify(hasher, (Str){text, sizeof(text)}, hash), PASSWORD_E_WRONG);
    assert_false(password_needs_rehash(hasher, hash));
    assert_true(password_needs_rehash(stronger, hash));
    assert_int_equal(password_verify(stronger, (Str){text, PASSWORD_LEN_MAX}, hash), 0);
}

static void no_account_is_a_wrong_password_and_costs_a_hash(void **state) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(40, 1, 0, 0);
    struct timespec start, middle, end;
    char hash[PASSWORD_HASH_SIZE];
    double known, unknown;

    (void)state;
    assert_int_equal(password_hash(hasher, str_lit("correct horse"), hash), 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    assert_int_equal(password_verify(hasher, str_lit("wrong horse"), hash), PASSWORD_E_WRONG);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &middle);
    assert_int_equal(password_verify(hasher, str_lit("wrong horse"), NULL), PASSWORD_E_WRONG);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    known =
        (double)(middle.tv_sec - start.tv_sec) + 1e-9 * (double)(middle.tv_nsec - start.tv_nsec);
    unknown = (double)(end.tv_sec - middle.tv_sec) + 1e-9 * (double)(end.tv_nsec - middle.tv_nsec);
    /* Wide, as the machine may be busy; a hash left out would be a thousandth. */
    assert_true(unknown > known / 4);
}

static void what_is_no_hash_is_a_fault(void **state) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(1, 1, 0, 0);

    (void)state;
    assert_int_equal(password_verify(hasher, str_lit("password"), "!"), -EBADMSG);
    assert_int_equal(password_verify(hasher, str_lit("password"), ""), -EBADMSG);
    assert_true(password_needs_rehash(hasher, "!"));
}

static void settings_out_of_range_are_refused(void **state) {
    static const PasswordSettings wrong[] = {
        {0, 1, 1, 0, 0},   {1, 0, 1, 0, 0},   {1, 4096, 1, 0, 0},  {1, 1, 0, 0, 0},
        {1, 1, 257, 0, 0}, {101, 1, 1, 0, 0}, {1, 1, 1, 65537, 0},
    };
    PasswordHasher *hasher;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(password_hasher_new(&wrong[i], &hasher), -EINVAL);
    }
}

typedef struct Flood {
    PasswordHasher *hasher;
    _Atomic unsigned done, busy;
    _Atomic bool stop;
} Flood;

static void *sign_in(void *argument) {
    Flood *flood = argument;
    int r = password_verify(flood->hasher, str_lit("wrong horse"), NULL);

    atomic_fetch_add(r == PASSWORD_E_BUSY ? &flood->busy : &flood->done, 1);
    return NULL;
}

/* Keeps the only place taken, over and over, until told to stop. */
static void *occupy(void *argument) {
    Flood *flood = argument;

    while (!atomic_load(&flood->stop)) {
        password_verify(flood->hasher, str_lit("wrong horse"), NULL);
    }
    return NULL;
}

static void beyond_the_queue_callers_are_told_it_is_busy(void **state) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(20, 1, 0, 1000);
    Flood flood = {.hasher = hasher};
    pthread_t thread;
    unsigned busy = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, occupy, &flood), 0);
    for (int i = 0; i < 100000 && busy == 0; i++) {
        uint32_t running, waiting;
        password_hasher_load(hasher, &running, &waiting);
        if (running == 1) {
            busy += password_verify(hasher, str_lit("wrong horse"), NULL) == PASSWORD_E_BUSY;
        }
        sched_yield();
    }
    atomic_store(&flood.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(busy, 1);
    assert_int_equal(password_verify(hasher, str_lit("wrong horse"), NULL), PASSWORD_E_WRONG);
}

static void who_waits_gets_a_turn_and_no_more_run_than_may(void **state) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(10, 2, 16, 60000);
    Flood flood = {.hasher = hasher};
    pthread_t threads[16];
    uint32_t running, waiting;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_in, &flood), 0);
    }
    do {
        password_hasher_load(hasher, &running, &waiting);
        assert_true(running <= 2 && waiting <= 14);
        sched_yield();
    } while (atomic_load(&flood.done) + atomic_load(&flood.busy) < ARRAY_LEN(threads));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(flood.done, ARRAY_LEN(threads));
    password_hasher_load(hasher, &running, &waiting);
    assert_int_equal(running + waiting, 0);
}

static void who_waits_too_long_is_told_it_is_busy(void **state) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = hasher_new(20, 1, 16, 0);
    Flood flood = {.hasher = hasher};
    pthread_t thread;
    unsigned busy = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, occupy, &flood), 0);
    for (int i = 0; i < 100000 && busy == 0; i++) {
        busy += password_verify(hasher, str_lit("wrong horse"), NULL) == PASSWORD_E_BUSY;
        sched_yield();
    }
    atomic_store(&flood.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(busy, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_hash_is_verified),
        cmocka_unit_test(what_is_hashed_verifies),
        cmocka_unit_test(no_account_is_a_wrong_password_and_costs_a_hash),
        cmocka_unit_test(what_is_no_hash_is_a_fault),
        cmocka_unit_test(settings_out_of_range_are_refused),
        cmocka_unit_test(beyond_the_queue_callers_are_told_it_is_busy),
        cmocka_unit_test(who_waits_gets_a_turn_and_no_more_run_than_may),
        cmocka_unit_test(who_waits_too_long_is_told_it_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
