/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The tables user_passkey and user_passkey_challenge. Calls run in a transaction of the caller's;
 * an account is found by the user handle that a passkey carries, never by the passkey. */

#include "services/user/passkey/challenge.h"
#include "services/user/passkey/webauthn.h"
#include "services/user/vault.h"

#define PASSKEYS_MAX     20  /* of one user */
#define PASSKEY_NAME_MAX 200 /* bytes */

/* An opened row; strings live in the arena it was read into. */
typedef struct Passkey {
    WebauthnCredential credential;
    const char *name;
    int64_t created_us, used_us; /* used_us 0: never */
} Passkey;

enum {
    PASSKEY_E_NONE = 1, /* the user has no such passkey */
    PASSKEY_E_EXISTS,   /* the user has that one already */
    PASSKEY_E_FULL,     /* PASSKEYS_MAX */
    PASSKEY_E_SPENT,    /* the challenge was used before */
};

extern const DbStatement passkey_statements[];
extern const size_t passkey_statements_len;

/* 0, PASSKEY_E_EXISTS or PASSKEY_E_FULL. */
int passkey_store_add(DbTx *tx, const UserKey *key, Arena *arena, const Passkey *passkey);
/* 0, PASSKEY_E_NONE, or a fault (-EBADMSG: does not open). */
int passkey_store_get(DbTx *tx, const UserKey *key, Str credential_id, Arena *arena,
                      Passkey *ret_passkey);
/* The oldest first. */
int passkey_store_list(DbTx *tx, const UserKey *key, Arena *arena, Passkey **ret_passkeys,
                       size_t *ret_n);
int passkey_store_count(DbTx *tx, const Uuid *user_id, Arena *arena, size_t *ret_n);
/* Another name; what else it has was read before in this transaction. */
int passkey_store_rename(DbTx *tx, const UserKey *key, Arena *arena, const Passkey *passkey);
/* 0 or PASSKEY_E_NONE. */
int passkey_store_remove(DbTx *tx, const Uuid *user_id, Str credential_id);
int passkey_store_used(DbTx *tx, const Uuid *user_id, Str credential_id, uint32_t sign_count,
                       int64_t now_us);

/* Uses a challenge up, for this user: a second time it is PASSKEY_E_SPENT. What has expired goes on
 * the way. */
int passkey_store_spend(DbTx *tx, const Uuid *user_id, const Challenge *challenge, int64_t now_us);
