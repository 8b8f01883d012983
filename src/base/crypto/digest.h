/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA-256 and what is built on it, comparison that leaks nothing by its time, and hexadecimal. All
 * functions are thread-safe; those that return nothing cannot fail but for exhausted memory, which
 * aborts the process.
 */

#include "base/str.h"

#define DIGEST_LEN      32
#define DIGEST_512_LEN  64
#define DIGEST_SHA1_LEN 20
#define DIGEST_HEX_SIZE (2 * DIGEST_LEN + 1)
#define HKDF_LEN_MAX    ((size_t)255 * DIGEST_LEN)

/* SHA-256 (FIPS 180-4). */
void digest_sha256(Str bytes, uint8_t ret_digest[DIGEST_LEN]);
/* SHA-512 (FIPS 180-4). */
void digest_sha512(Str bytes, uint8_t ret_digest[DIGEST_512_LEN]);

/* SHA-1 (FIPS 180-4): for lists of others that name things by it, never for what must be safe. */
void digest_sha1(Str bytes, uint8_t ret_digest[DIGEST_SHA1_LEN]);

/* HMAC-SHA-256 (RFC 2104) under a key of any length. */
void digest_hmac(Str key, Str bytes, uint8_t ret_digest[DIGEST_LEN]);

/*
 * HKDF-SHA-256 (RFC 5869 2.2, 2.3): 1..HKDF_LEN_MAX bytes from key material that is already hard to
 * guess. `salt` may be empty; `info` says what the bytes are for.
 */
void digest_hkdf(Str key, Str salt, Str info, uint8_t *ret_bytes, size_t len);

/* Whether two runs of the same length are equal; takes the same time wherever they differ. */
bool digest_equal(const void *a, const void *b, size_t len);

/* Lower-case hexadecimal; ret_text holds 2 * bytes.len + 1 characters. */
void hex_encode(Str bytes, char *ret_text);
/* Exactly `len` bytes from 2 * len digits of either case; 0, or -EINVAL. */
int hex_decode(Str text, uint8_t *ret_bytes, size_t len);
