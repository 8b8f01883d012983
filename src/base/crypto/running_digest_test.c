/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/running_digest.h"
#include "base/test.h"

/* Of every length around a block's, cut at every byte, kept in between. */
static void test_goes_on_where_it_was(void **state) {
    char bytes[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i * 7 + 3);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        uint8_t whole[DIGEST_LEN];
        digest_sha256((Str){bytes, len}, whole);
        for (size_t cut = 0; cut <= len; cut++) {
            RunningDigest digest, other;
            uint8_t kept[RUNNING_DIGEST_STATE_LEN], got[DIGEST_LEN];
            running_digest_init(&digest);
            running_digest_add(&digest, (Str){bytes, cut});
            running_digest_keep(&digest, kept);
            running_digest_resume(kept, &other);
            running_digest_add(&other, (Str){bytes + cut, len - cut});
            running_digest_get(&other, got);
            assert_memory_equal(got, whole, DIGEST_LEN);
        }
    }
}

/* The count of bits passes 32 bits at 512 MiB. */
static void test_more_than_half_a_gigabyte(void **state) {
    static const char expected[] =
        "a3e2acbb469e4e59dde406f912e754c933c1ac0fb0092a3634d61d5073309c0c";
    static char zeros[1 << 20];
    RunningDigest digest;
    uint8_t got[DIGEST_LEN];
    char text[DIGEST_HEX_SIZE] = {0};

    (void)state;
    running_digest_init(&digest);
    for (unsigned i = 0; i < 513; i++) {
        uint8_t kept[RUNNING_DIGEST_STATE_LEN];
        running_digest_add(&digest, (Str){zeros, sizeof(zeros)});
        running_digest_keep(&digest, kept);
        running_digest_resume(kept, &digest);
    }
    running_digest_get(&digest, got);
    hex_encode((Str){(const char *)got, sizeof(got)}, text);
    assert_string_equal(text, expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on_where_it_was),
        cmocka_unit_test(test_more_than_half_a_gigabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
