/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The keys of libraries, asked of the user service and remembered in this process' locked memory
 * for LIBRARY_KEY_TTL_MS: so long after an erasure may one still be used. Thread-safe.
 */

#include "core/contracts/access.h"

#define LIBRARY_KEY_TTL_MS 60000

typedef struct LibraryKeys LibraryKeys;

LibraryKeys *library_keys_new(Access *access);
LibraryKeys *library_keys_free(LibraryKeys *keys); /* accepts NULL */
DEFINE_CLEANUP(LibraryKeys *, library_keys_free)

/* 0, ACCESS_E_NONE, or a fault. The caller wipes it: user_key_done(). */
int library_key_get(LibraryKeys *keys, const Uuid *user_id, UserKey *ret_key);

/* A keyed hash (HMAC-SHA-256) that is this user's alone: `purpose` tells hashes of one thing from
 * those of another. */
#define LIBRARY_HASH_LEN 32
void library_hash(const UserKey *key, const char *purpose, Str bytes,
                  uint8_t ret_hash[LIBRARY_HASH_LEN]);
