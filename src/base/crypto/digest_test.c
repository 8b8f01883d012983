/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/test.h"

#include <errno.h>

/* Bytes of a hexadecimal literal. */
static Str from_hex(Arena *arena, const char *hex) {
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = arena_alloc(arena, len + 1);

    assert_int_equal(hex_decode(str_from(hex), bytes, len), 0);
    return (Str){(const char *)bytes, len};
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected) {
    char text[2 * 128 + 1];

    assert_true(len <= 128);
    hex_encode((Str){(const char *)bytes, len}, text);
    assert_string_equal(text, expected);
}

/* FIPS 180-4 examples. */
static void sha256_of_the_standards_messages(void **state) {
    uint8_t digest[DIGEST_LEN];

    (void)state;
    digest_sha256(str_lit("abc"), digest);
    assert_hex(digest, DIGEST_LEN,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(str_lit(""), digest);
    assert_hex(digest, DIGEST_LEN,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256(str_lit("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
    assert_hex(digest, DIGEST_LEN,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* FIPS 180-4 examples. */
static void sha512_of_the_standards_messages(void **state) {
    uint8_t digest[DIGEST_512_LEN];

    (void)state;
    digest_sha512(str_lit("abc"), digest);
    assert_hex(digest, DIGEST_512_LEN,
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    digest_sha512(str_lit(""), digest);
    assert_hex(digest, DIGEST_512_LEN,
               "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
               "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
static void hmac_of_the_rfcs_messages(void **state) {
    uint8_t digest[DIGEST_LEN], key[131];

    (void)state;
    memset(key, 0x0b, 20);
    digest_hmac((Str){(const char *)key, 20}, str_lit("Hi There"), digest);
    assert_hex(digest, DIGEST_LEN,
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    digest_hmac(str_lit("Jefe"), str_lit("what do ya want for nothing?"), digest);
    assert_hex(digest, DIGEST_LEN,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    digest_hmac((Str){(const char *)key, sizeof(key)},
                str_lit("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
    assert_hex(digest, DIGEST_LEN,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 5869, A.1 and A.3. */
static void hkdf_of_the_rfcs_keys(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Str key = from_hex(arena, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    uint8_t bytes[42];

    (void)state;
    digest_hkdf(key, from_hex(arena, "000102030405060708090a0b0c"),
                from_hex(arena, "f0f1f2f3f4f5f6f7f8f9"), bytes, sizeof(bytes));
    assert_hex(bytes, sizeof(bytes),
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
               "34007208d5b887185865");
    digest_hkdf(key, (Str){0}, (Str){0}, bytes, sizeof(bytes));
    assert_hex(bytes, sizeof(bytes),
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
               "9d201395faa4b61a96c8");
}

static void equality_and_hex_are_exact(void **state) {
    uint8_t bytes[2];

    (void)state;
    assert_true(digest_equal("abc", "abc", 3));
    assert_false(digest_equal("abc", "abd", 3));
    assert_int_equal(hex_decode(str_lit("aBcD"), bytes, 2), 0);
    assert_int_equal(bytes[0] << 8 | bytes[1], 0xabcd);
    assert_int_equal(hex_decode(str_lit("abc"), bytes, 2), -EINVAL);
    assert_int_equal(hex_decode(str_lit("abcde"), bytes, 2), -EINVAL);
    assert_int_equal(hex_decode(str_lit("ab"), bytes, 2), -EINVAL);
    assert_int_equal(hex_decode(str_lit("abcg"), bytes, 2), -EINVAL);
    assert_int_equal(hex_decode(str_lit("a cd"), bytes, 2), -EINVAL);
    for (int c = 0; c < 256; c++) { /* every byte in a digit's place */
        const char text[4] = {'a', (char)c, 'c', 'd'};
        bool good = c > 0 && c < 128 && strchr("0123456789abcdefABCDEF", c);
        assert_int_equal(hex_decode((Str){text, 4}, bytes, 2), good ? 0 : -EINVAL);
    }
}

/* RFC 4648 10, without the padding, and RFC 7515, appendix C. */
static void base64url_of_the_rfcs_bytes(void **state) {
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\x03\xec\xff\xe0\xc1", "A-z_4ME"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        _cleanup_(buf_done) Buf text = BUF_INIT;
        Str bytes;
        buf_add(&text, ">", 1);
        base64url_encode(str_from(pairs[i][0]), &text);
        assert_string_equal(buf_cstr(&text) + 1, pairs[i][1]);
        assert_int_equal(text.len, strlen(pairs[i][1]) + 1);
        assert_int_equal(base64url_decode(str_from(pairs[i][1]), arena, &bytes), 0);
        assert_true(str_equal(bytes, str_from(pairs[i][0])));
    }
}

static void base64url_has_one_text_for_bytes(void **state) {
    static const char *const wrong[] = {"Z",    "Zg==",  "Zm8=", "Zh",   "Zm9",
                                        "Zm 8", "Zm8\n", "Zm+v", "Zm/v", "Zm9vY"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    uint8_t bytes[3];
    Str out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(base64url_decode(str_from(wrong[i]), arena, &out), -EINVAL);
    }
    for (int c = 0; c < 256; c++) { /* every byte in a digit's place */
        const char text[4] = {'Z', 'm', (char)c, 'v'};
        bool good = c < 128 && c > 0 &&
                    strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c);
        assert_int_equal(base64url_decode((Str){text, 4}, arena, &out), good ? 0 : -EINVAL);
        assert_int_equal(base64url_decode_fixed((Str){text, 4}, bytes, 3), good ? 0 : -EINVAL);
    }
    assert_int_equal(base64url_decode((Str){"Zm\0v", 4}, arena, &out), -EINVAL);
    assert_int_equal(base64url_decode_fixed(str_lit("Zm9v"), bytes, 3), 0);
    assert_memory_equal(bytes, "foo", 3);
    assert_int_equal(base64url_decode_fixed(str_lit("Zm9v"), bytes, 2), -EINVAL);
    assert_int_equal(base64url_decode_fixed(str_lit("Zm8"), bytes, 3), -EINVAL);
}

static void secrets_are_wiped_and_random_bytes_differ(void **state) {
    _cleanup_(secret_freep) uint8_t *secret = secret_alloc(32);
    uint8_t zero[32] = {0}, other[32];

    (void)state;
    assert_memory_equal(secret, zero, 32);
    random_bytes(secret, 32);
    random_bytes(other, 32);
    assert_memory_not_equal(secret, zero, 32);
    assert_memory_not_equal(secret, other, 32);
    secret_wipe(secret, 32);
    assert_memory_equal(secret, zero, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_the_standards_messages),
        cmocka_unit_test(sha512_of_the_standards_messages),
        cmocka_unit_test(hmac_of_the_rfcs_messages),
        cmocka_unit_test(hkdf_of_the_rfcs_keys),
        cmocka_unit_test(equality_and_hex_are_exact),
        cmocka_unit_test(base64url_of_the_rfcs_bytes),
        cmocka_unit_test(base64url_has_one_text_for_bytes),
        cmocka_unit_test(secrets_are_wiped_and_random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
