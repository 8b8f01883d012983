/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Passwords: Argon2id (RFC 9106) in the PHC string form
 * "$argon2id$v=19$m=65536,t=2,p=1$SALT$HASH", by libsodium.
 *
 * A hash takes megabytes and tens of milliseconds on purpose, so a hasher works on a bounded number
 * at a time and lets a bounded number wait: a flood of sign-ins cannot exhaust memory. Calls block;
 * they belong on threads that may wait. Thread-safe.
 */

#include "base/str.h"

#define PASSWORD_LEN_MIN   8
#define PASSWORD_LEN_MAX   1024
#define PASSWORD_HASH_SIZE 128 /* of a PHC string, with the NUL */

typedef struct PasswordSettings {
    uint32_t ops;          /* passes over the memory: Argon2's t, 1..100 */
    uint32_t memory_mib;   /* of one hash: Argon2's m, 1..4095 */
    uint32_t parallel_max; /* hashes at the same time, 1..256; memory_mib each */
    uint32_t waiting_max;  /* callers that wait for their turn, 0..65536 */
    uint32_t wait_ms;      /* how long one waits at most */
} PasswordSettings;

typedef struct PasswordHasher PasswordHasher;

enum {
    PASSWORD_E_WRONG = 1,
    PASSWORD_E_BUSY, /* too many wait already, or it waited too long: try again later (503) */
};

/* Makes one hash, so it takes as long. 0, or -EINVAL (a setting out of range), -ENOMEM. */
int password_hasher_new(const PasswordSettings *settings, PasswordHasher **ret_hasher);
/* Nobody may be in a call any more. Accepts NULL, returns NULL. */
PasswordHasher *password_hasher_free(PasswordHasher *hasher);
DEFINE_CLEANUP(PasswordHasher *, password_hasher_free)

/*
 * A password of PASSWORD_LEN_MIN..PASSWORD_LEN_MAX bytes, any bytes; the caller has checked that,
 * and hands in UTF-8 in one normal form if it wants more than bytes. 0, PASSWORD_E_BUSY, or
 * -ENOMEM.
 */
int password_hash(PasswordHasher *hasher, Str password, char ret_hash[PASSWORD_HASH_SIZE]);

/*
 * Whether it is the password of that hash. `hash` NULL means that there is no such account: the
 * password is then tried on a hash nobody has the password of, so that the answer takes as long
 * (as with a hash of the present settings) and is PASSWORD_E_WRONG. A password longer than
 * PASSWORD_LEN_MAX is wrong. 0, PASSWORD_E_WRONG, PASSWORD_E_BUSY, or -ENOMEM, -EBADMSG (not an
 * Argon2id hash). It takes the memory that the hash asks for, which is what the settings were when
 * it was made.
 */
int password_verify(PasswordHasher *hasher, Str password, const char *hash);

/* Whether the hash was made with other settings: hash anew after the next sign-in. */
bool password_needs_rehash(const PasswordHasher *hasher, const char *hash);

/* For metrics: how many hash and how many wait just now. */
void password_hasher_load(PasswordHasher *hasher, uint32_t *ret_running, uint32_t *ret_waiting);
