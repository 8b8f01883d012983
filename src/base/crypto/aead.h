/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Authenticated encryption: AES-256-GCM (NIST SP 800-38D).
 *
 * A sealed value is: version byte 1, random nonce of 12 bytes, ciphertext as long as the plain
 * text, tag of 16 bytes. The associated data is authenticated and not stored: give what ties the
 * value to its place (table, column, row), so that it cannot be moved to another.
 *
 * Nonces are random, so one key may seal 2^32 values at most (SP 800-38D 8.3): use a key per user
 * or per purpose. Another version must use other keys. Thread-safe.
 */

#include "base/str.h"

#define AEAD_KEY_LEN   32
#define AEAD_OVERHEAD  ((size_t)(1 + 12 + 16))
#define AEAD_PLAIN_MAX ((size_t)1 << 30)

enum {
    AEAD_E_FORGED = 1, /* tampered with, truncated, of another version, key or associated data */
};

/*
 * Writes plain.len + AEAD_OVERHEAD bytes, which must not overlap the plain text. 0, or -EMSGSIZE
 * (longer than AEAD_PLAIN_MAX; so is associated data) or -EIO (the library failed).
 */
int aead_seal(const uint8_t key[AEAD_KEY_LEN], Str plain, Str associated, uint8_t *ret_sealed);

/*
 * Writes sealed.len - AEAD_OVERHEAD bytes when that is positive; on anything but 0 the bytes are
 * zeros. 0, AEAD_E_FORGED, or as above.
 */
int aead_open(const uint8_t key[AEAD_KEY_LEN], Str sealed, Str associated, uint8_t *ret_plain);
