/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Long data sealed so that any part of it can be opened alone: cut into segments of 64 KiB, each a
 * sealed value of its own (aead.h) that has its number and whether it is the last as associated
 * data. So no segment can be moved, doubled or left out, and the end cannot be cut off: what STREAM
 * gives (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its
 * Nonce-Reuse Misuse-Resistance", 2015, section 7), with random nonces, since a segment may be
 * sealed a second time when an upload goes on after a crash.
 *
 * A key is for one piece of data. Empty data is one empty segment. Thread-safe.
 */

#include "base/crypto/aead.h"

#define SEGMENT_LEN        ((size_t)65536)
#define SEGMENT_SEALED_LEN (SEGMENT_LEN + AEAD_OVERHEAD)
#define SEGMENTS_PLAIN_MAX ((uint64_t)1 << 46) /* 2^30 segments: random nonces allow 2^32 */

/* The number of segments, at least 1, and the length of all of them sealed. `len` is at most
 * SEGMENTS_PLAIN_MAX. */
uint64_t segments_count(uint64_t len);
uint64_t segments_sealed_len(uint64_t len);

/*
 * All segments but the last have SEGMENT_LEN bytes; that has 1..SEGMENT_LEN, or 0 when it is the
 * only one. Writes plain.len + AEAD_OVERHEAD bytes. As aead_seal().
 */
int segment_seal(const uint8_t key[AEAD_KEY_LEN], uint64_t number, bool last, Str plain,
                 uint8_t *ret_sealed);

/* Writes sealed.len - AEAD_OVERHEAD bytes. As aead_open(). */
int segment_open(const uint8_t key[AEAD_KEY_LEN], uint64_t number, bool last, Str sealed,
                 uint8_t *ret_plain);
