/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/segments.h"

#include "base/error.h"
#include "base/test.h"

static const uint8_t key[AEAD_KEY_LEN] = {7, 1, 9};

static void lengths(void **state) {
    (void)state;
    assert_int_equal(segments_count(0), 1);
    assert_int_equal(segments_count(1), 1);
    assert_int_equal(segments_count(SEGMENT_LEN), 1);
    assert_int_equal(segments_count(SEGMENT_LEN + 1), 2);
    assert_int_equal(segments_sealed_len(0), AEAD_OVERHEAD);
    assert_int_equal(segments_sealed_len(2 * SEGMENT_LEN), 2 * SEGMENT_SEALED_LEN);
    assert_int_equal(segments_sealed_len(2 * SEGMENT_LEN + 1),
                     2 * SEGMENT_SEALED_LEN + 1 + AEAD_OVERHEAD);
    assert_int_equal(segments_count(SEGMENTS_PLAIN_MAX), 1u << 30);
}

static void a_segment_opens_in_its_place_alone(void **state) {
    static uint8_t plain[SEGMENT_LEN], sealed[SEGMENT_SEALED_LEN], opened[SEGMENT_LEN];
    Str text = {(const char *)plain, SEGMENT_LEN};
    Str shown = {(const char *)sealed, SEGMENT_SEALED_LEN};

    (void)state;
    memset(plain, 'p', sizeof(plain));
    assert_int_equal(segment_seal(key, 3, false, text, sealed), 0);
    assert_int_equal(segment_open(key, 3, false, shown, opened), 0);
    assert_memory_equal(opened, plain, SEGMENT_LEN);
    assert_int_equal(segment_open(key, 3, true, shown, opened), AEAD_E_FORGED);
    assert_int_equal(segment_open(key, 4, false, shown, opened), AEAD_E_FORGED);
    assert_int_equal(segment_open(key, 3 | (1ull << 56), false, shown, opened), AEAD_E_FORGED);
    for (size_t i = 0; i < SEGMENT_SEALED_LEN; i += 997) {
        sealed[i] ^= 0x10;
        assert_int_equal(segment_open(key, 3, false, shown, opened), AEAD_E_FORGED);
        sealed[i] ^= 0x10;
    }
    assert_int_equal(segment_open(key, 3, false, shown, opened), 0);
}

static void only_the_last_is_short(void **state) {
    uint8_t sealed[AEAD_OVERHEAD + 3], opened[3];
    Str shown = {(const char *)sealed, sizeof(sealed)};

    (void)state;
    assert_int_equal(segment_seal(key, 0, false, str_lit("abc"), sealed), -EMSGSIZE);
    assert_int_equal(segment_seal(key, 0, true, str_lit("abc"), sealed), 0);
    assert_int_equal(segment_open(key, 0, true, shown, opened), 0);
    assert_memory_equal(opened, "abc", 3);
    assert_int_equal(segment_open(key, 0, true, (Str){shown.ptr, AEAD_OVERHEAD}, opened),
                     AEAD_E_FORGED);
    assert_int_equal(segment_seal(key, 0, true, (Str){0}, sealed), 0);
    assert_int_equal(segment_open(key, 0, true, (Str){shown.ptr, AEAD_OVERHEAD}, opened), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(a_segment_opens_in_its_place_alone),
        cmocka_unit_test(only_the_last_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
