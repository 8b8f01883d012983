/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/keyed_hash.h"

#include "base/test.h"

/* Key 00 01 ... 0f; the empty input and 00 01 ... 0e: the vectors of the paper, appendix A, and of
 * its reference implementation. */
static void gives_the_vectors_of_the_paper(void **state) {
    uint8_t key[KEYED_HASH_KEY_LEN], bytes[15];

    (void)state;
    for (uint8_t i = 0; i < sizeof(key); i++) {
        key[i] = i;
    }
    memcpy(bytes, key, sizeof(bytes));
    assert_true(keyed_hash(key, str_lit("")) == 0x726fdb47dd0e0e31);
    assert_true(keyed_hash(key, (Str){(const char *)bytes, sizeof(bytes)}) == 0xa129ca6149be45e5);
    key[0]++;
    assert_true(keyed_hash(key, (Str){(const char *)bytes, sizeof(bytes)}) != 0xa129ca6149be45e5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_vectors_of_the_paper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
