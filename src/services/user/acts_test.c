/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "services/user/acts.h"
#include "services/user/api_key_store.h"

#include <errno.h>

static void amounts_have_two_decimals(void **state) {
    static const struct {
        const char *text;
        int64_t hundredths;
        const char *shown;
    } cases[] = {
        {"5", 500, "5"}, {"0.25", 25, "0.25"}, {"-3.5", -350, "-3.50"}, {"-0.05", -5, "-0.05"}};
    const char *const wrong[] = {"", "-", "1.", "1.234", "x", "+1", "1e3", "--1", "10000000000000"};
    char text[ACT_AMOUNT_SIZE];
    int64_t amount;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(act_amount_parse(str_from(cases[i].text), &amount), 0);
        assert_int_equal(amount, cases[i].hundredths);
        assert_string_equal(act_amount_text(amount, text), cases[i].shown);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(act_amount_parse(str_from(wrong[i]), &amount), -EINVAL);
    }
}

static void a_key_is_read_back_and_nothing_else(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    ApiKey key = {.user_id = uuid_new()};
    char text[API_KEY_TEXT_LEN + 1];
    uint8_t hash[VAULT_HASH_LEN];
    Uuid user_id, key_id;

    (void)state;
    api_key_new(&key, arena, text);
    assert_int_equal(strlen(text), API_KEY_TEXT_LEN);
    assert_int_equal(access_key_parse(str_from(text), &user_id, &key_id, hash), 0);
    assert_true(uuid_equal(&user_id, &key.user_id) && uuid_equal(&key_id, &key.key_id));
    assert_memory_equal(hash, key.secret_hash, VAULT_HASH_LEN);
    assert_memory_equal(text, key.hint, API_KEY_HINT_LEN);
    assert_int_equal(access_key_parse((Str){text, API_KEY_TEXT_LEN - 1}, &user_id, &key_id, hash),
                     -EINVAL);
    text[0] = 'I';
    assert_int_equal(access_key_parse(str_from(text), &user_id, &key_id, hash), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_have_two_decimals),
        cmocka_unit_test(a_key_is_read_back_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
