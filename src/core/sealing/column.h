/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a row says of a user, sealed under a key of that user (AES-256-GCM) with the column and the
 * row it stands in as associated data, so that a value moved to another row or column does not
 * open. Erasing the key erases the user. Thread-safe.
 */

#include "base/arena.h"
#include "base/crypto/aead.h"
#include "base/uuid.h"

/* A user's key, opened. Wiped by user_key_done(). */
typedef struct UserKey {
    Uuid user_id;
    uint8_t bytes[AEAD_KEY_LEN];
} UserKey;
void user_key_done(UserKey *key);

enum {
    COLUMN_E_BROKEN = 1, /* does not open: tampered with, moved, or of another key */
};

/*
 * `column` is "table.column"; `row` tells the row apart from others of this user (Str of its key),
 * empty when the user's id is the whole key. What is sealed, and what is opened, lies in the arena.
 * column_open(): 0, COLUMN_E_BROKEN, or a fault.
 */
Str column_seal(const UserKey *key, const char *column, Str row, Str value, Arena *arena);
int column_open(const UserKey *key, const char *column, Str row, Str sealed, Arena *arena,
                Str *ret_value);
