/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/segments.h"

#include "base/error.h"

#define PLACE_LEN 9

uint64_t segments_count(uint64_t len) {
    return len == 0 ? 1 : (len - 1) / SEGMENT_LEN + 1;
}

uint64_t segments_sealed_len(uint64_t len) {
    return len + segments_count(len) * AEAD_OVERHEAD;
}

static Str place_of(uint64_t number, bool last, uint8_t bytes[PLACE_LEN]) {
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    bytes[8] = last;
    return (Str){(const char *)bytes, PLACE_LEN};
}

int segment_seal(const uint8_t key[AEAD_KEY_LEN], uint64_t number, bool last, Str plain,
                 uint8_t *ret_sealed) {
    uint8_t place[PLACE_LEN];

    if (plain.len > SEGMENT_LEN || (!last && plain.len != SEGMENT_LEN)) {
        return err_trace(-EMSGSIZE);
    }
    return aead_seal(key, plain, place_of(number, last, place), ret_sealed);
}

int segment_open(const uint8_t key[AEAD_KEY_LEN], uint64_t number, bool last, Str sealed,
                 uint8_t *ret_plain) {
    uint8_t place[PLACE_LEN];

    if (sealed.len > SEGMENT_SEALED_LEN || (!last && sealed.len != SEGMENT_SEALED_LEN)) {
        return AEAD_E_FORGED;
    }
    return aead_open(key, sealed, place_of(number, last, place), ret_plain);
}
