/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passwords.h"

#include "base/test.h"

#define COMPOSED   "caf\xc3\xa9 au lait"
#define DECOMPOSED "cafe\xcc\x81 au lait" /* as a Mac types it */

typedef struct Fixture {
    UserSettings settings;
    UserService service;
    UserCall call;
} Fixture;

static void fixture_init(Fixture *f) {
    const PasswordSettings cheap = {.ops = 1, .memory_mib = 8, .parallel_max = 1};

    *f = (Fixture){.settings = {.password_length_min = 10}};
    f->service.options.settings = &f->settings;
    f->call = (UserCall){.service = &f->service, .arena = arena_new()};
    assert_int_equal(password_hasher_new(&cheap, &f->service.hasher), 0);
}

static void fixture_done(Fixture *f) {
    password_hasher_free(f->service.hasher);
    arena_free(f->call.arena);
}

static void test_is_the_same_however_it_is_typed(void **state) {
    _cleanup_(fixture_done) Fixture f;
    const char *phc = NULL;
    bool outdated = true;

    (void)state;
    fixture_init(&f);
    assert_int_equal(passwords_hash(&f.call, DECOMPOSED, &phc), USER_FAILURE_NONE);
    assert_int_equal(passwords_verify(&f.call, COMPOSED, phc, &outdated), USER_FAILURE_NONE);
    assert_false(outdated);
    assert_int_equal(passwords_verify(&f.call, DECOMPOSED, phc, &outdated), USER_FAILURE_NONE);
    assert_false(outdated);
    assert_int_equal(passwords_verify(&f.call, "cafe au lait", phc, NULL),
                     USER_FAILURE_WRONG_CREDENTIALS);
    assert_int_equal(passwords_verify(&f.call, DECOMPOSED, NULL, NULL),
                     USER_FAILURE_WRONG_CREDENTIALS);
}

/* Before there was one form, what was typed was hashed. */
static void test_hashes_from_before_are_good_and_to_be_renewed(void **state) {
    _cleanup_(fixture_done) Fixture f;
    char before[PASSWORD_HASH_SIZE];
    bool outdated = false;

    (void)state;
    fixture_init(&f);
    assert_int_equal(password_hash(f.service.hasher, str_lit(DECOMPOSED), before), 0);
    assert_int_equal(passwords_verify(&f.call, DECOMPOSED, before, &outdated), USER_FAILURE_NONE);
    assert_true(outdated);
    assert_int_equal(passwords_verify(&f.call, COMPOSED, before, NULL),
                     USER_FAILURE_WRONG_CREDENTIALS);

    /* Of one that cannot be chosen any more there is no other form. */
    assert_int_equal(password_hash(f.service.hasher, str_lit("tab\tin between"), before), 0);
    assert_int_equal(passwords_verify(&f.call, "tab\tin between", before, &outdated),
                     USER_FAILURE_NONE);
    assert_false(outdated);
}

static UserFailure check(Fixture *f, const char *password) {
    f->call.detail = NULL;
    return passwords_check(&f->call, password, "ada@example.com");
}

static void test_length_is_that_of_characters(void **state) {
    _cleanup_(fixture_done) Fixture f;
    char longest[PASSWORD_LEN_MAX + 2];

    (void)state;
    fixture_init(&f);
    /* Ten characters when composed, and nine, whatever was sent. */
    assert_int_equal(check(&f, "cafe\xcc\x81 12345"), USER_FAILURE_NONE);
    assert_int_equal(check(&f, "cafe\xcc\x81 1234"), USER_FAILURE_WEAK_PASSWORD);
    assert_string_equal(f.call.detail, "Give at least 10 characters.");
    assert_int_equal(check(&f, ""), USER_FAILURE_WEAK_PASSWORD);
    for (size_t i = 0; i < sizeof(longest); i++) {
        longest[i] = (char)('a' + i % 26);
    }
    longest[PASSWORD_LEN_MAX + 1] = '\0';
    assert_int_equal(check(&f, longest), USER_FAILURE_WEAK_PASSWORD);
    assert_string_equal(f.call.detail, "Give at most 1024 bytes.");
    longest[PASSWORD_LEN_MAX] = '\0';
    assert_int_equal(check(&f, longest), USER_FAILURE_NONE);
}

static void test_what_cannot_be_seen_is_refused(void **state) {
    _cleanup_(fixture_done) Fixture f;

    (void)state;
    fixture_init(&f);
    assert_int_equal(check(&f, "good but a\x07"), USER_FAILURE_WEAK_PASSWORD);
    assert_non_null(strstr(f.call.detail, "control character"));
    assert_int_equal(check(&f, "good\xc2\xa0password"), USER_FAILURE_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_the_same_however_it_is_typed),
        cmocka_unit_test(test_hashes_from_before_are_good_and_to_be_renewed),
        cmocka_unit_test(test_length_is_that_of_characters),
        cmocka_unit_test(test_what_cannot_be_seen_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
