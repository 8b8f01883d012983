/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/keyed_hash.h"

#include <endian.h>
#include <sodium.h>

_Static_assert(KEYED_HASH_KEY_LEN == crypto_shorthash_KEYBYTES, "the key of SipHash");

uint64_t keyed_hash(const uint8_t key[KEYED_HASH_KEY_LEN], Str bytes) {
    uint64_t hash;

    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "64 bits");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)bytes.ptr, bytes.len, key);
    return le64toh(hash);
}
