/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/aead.h"
#include "base/crypto/digest.h"
#include "base/test.h"

/* Test case 16 of the GCM specification (McGrew and Viega), which NIST's vectors took over. */
static const char key_hex[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char sealed_hex[] = "01"
                                 "cafebabefacedbaddecaf888"
                                 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                 "76fc6ece0f4e1768cddf8853bb2d551b";
static const char plain_hex[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
static const char associated_hex[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";

#define PLAIN_LEN  (sizeof(plain_hex) / 2)
#define SEALED_LEN (sizeof(sealed_hex) / 2)

typedef struct Vector {
    uint8_t key[AEAD_KEY_LEN], sealed[SEALED_LEN], plain[PLAIN_LEN], associated[20];
} Vector;

static Vector vector(void) {
    Vector v;

    assert_int_equal(SEALED_LEN, PLAIN_LEN + AEAD_OVERHEAD);
    assert_int_equal(hex_decode(str_from(key_hex), v.key, sizeof(v.key)), 0);
    assert_int_equal(hex_decode(str_from(sealed_hex), v.sealed, sizeof(v.sealed)), 0);
    assert_int_equal(hex_decode(str_from(plain_hex), v.plain, sizeof(v.plain)), 0);
    assert_int_equal(hex_decode(str_from(associated_hex), v.associated, sizeof(v.associated)), 0);
    return v;
}

static Str bytes(const uint8_t *at, size_t len) {
    return (Str){(const char *)at, len};
}

static int open_vector(const Vector *v, uint8_t *ret_plain) {
    return aead_open(v->key, bytes(v->sealed, SEALED_LEN), bytes(v->associated, 20), ret_plain);
}

static void the_standards_text_is_opened(void **state) {
    Vector v = vector();
    uint8_t plain[PLAIN_LEN];

    (void)state;
    assert_int_equal(open_vector(&v, plain), 0);
    assert_memory_equal(plain, v.plain, PLAIN_LEN);
}

static void every_changed_bit_is_noticed(void **state) {
    static const uint8_t zeros[PLAIN_LEN];
    Vector v = vector();
    uint8_t plain[PLAIN_LEN];

    (void)state;
    for (size_t bit = 0; bit < SEALED_LEN * 8; bit++) {
        v.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_vector(&v, plain), AEAD_E_FORGED);
        assert_memory_equal(plain, zeros, PLAIN_LEN);
        v.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    v.associated[3] ^= 1;
    assert_int_equal(open_vector(&v, plain), AEAD_E_FORGED);
    v.associated[3] ^= 1;
    v.key[31] ^= 1;
    assert_int_equal(open_vector(&v, plain), AEAD_E_FORGED);
}

static void every_truncation_is_noticed(void **state) {
    Vector v = vector();
    uint8_t plain[PLAIN_LEN];

    (void)state;
    for (size_t len = 0; len < SEALED_LEN; len++) {
        assert_int_equal(aead_open(v.key, bytes(v.sealed, len), bytes(v.associated, 20), plain),
                         AEAD_E_FORGED);
    }
    assert_int_equal(aead_open(v.key, bytes(v.sealed, SEALED_LEN), bytes(v.associated, 19), plain),
                     AEAD_E_FORGED);
}

static void what_is_sealed_opens_and_differs_each_time(void **state) {
    uint8_t key[AEAD_KEY_LEN] = {1}, a[5 + AEAD_OVERHEAD], b[5 + AEAD_OVERHEAD], plain[5];

    (void)state;
    assert_int_equal(aead_seal(key, str_lit("hello"), str_lit("row 1"), a), 0);
    assert_int_equal(aead_seal(key, str_lit("hello"), str_lit("row 1"), b), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(aead_open(key, bytes(a, sizeof(a)), str_lit("row 1"), plain), 0);
    assert_memory_equal(plain, "hello", 5);
    assert_int_equal(aead_open(key, bytes(b, sizeof(b)), str_lit("row 2"), plain), AEAD_E_FORGED);
}

static void nothing_can_be_sealed_too(void **state) {
    uint8_t key[AEAD_KEY_LEN] = {1}, sealed[AEAD_OVERHEAD], plain[1] = {7};

    (void)state;
    assert_int_equal(aead_seal(key, (Str){0}, (Str){0}, sealed), 0);
    assert_int_equal(aead_open(key, bytes(sealed, sizeof(sealed)), (Str){0}, plain), 0);
    assert_int_equal(plain[0], 7);
    sealed[20] ^= 1;
    assert_int_equal(aead_open(key, bytes(sealed, sizeof(sealed)), (Str){0}, plain), AEAD_E_FORGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_text_is_opened),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(what_is_sealed_opens_and_differs_each_time),
        cmocka_unit_test(nothing_can_be_sealed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
