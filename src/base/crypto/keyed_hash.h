/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A short hash for tables in memory: SipHash-2-4 (Aumasson, Bernstein, 2012). Whoever does not know
 * the key cannot find inputs that meet. Not for signatures, which need 256 bits: see digest.h.
 */

#include "base/str.h"

#define KEYED_HASH_KEY_LEN 16

/* The same on every machine for the same key and bytes. Thread-safe. */
uint64_t keyed_hash(const uint8_t key[KEYED_HASH_KEY_LEN], Str bytes);
