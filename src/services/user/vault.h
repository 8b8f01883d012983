/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What keeps users' data unreadable at rest. Each user has a key, wrapped by the master key; what
 * tells who somebody is, is sealed under it (AES-256-GCM), with the column and the row it stands in
 * as associated data, so that a value moved to another row or column does not open. What has to be
 * found without being read (an address) is found by a keyed hash. Erasing the key erases the user.
 * Thread-safe.
 */

#include "base/crypto/master_key_ring.h"
#include "core/ports/db.h"
#include "core/sealing/column.h"

#define VAULT_KEY_LEN  AEAD_KEY_LEN
#define VAULT_HASH_LEN 32

typedef struct Vault Vault;

enum {
    VAULT_E_BROKEN = COLUMN_E_BROKEN, /* does not open: tampered with, or of another master key */
};

/*
 * Reads the service's own keys (for hashes and for what belongs to no user) from the database,
 * wrapped by the master key, or makes them when this is the first start. The two must outlive the
 * vault. 0; VAULT_E_BROKEN: the master key is not the one that this database was made with; or a
 * fault.
 */
int vault_new(Db *db, MasterKeyRing *master, Vault **ret_vault);
Vault *vault_free(Vault *vault);
DEFINE_CLEANUP(Vault *, vault_free)

/* A new user's key, and its wrapped form for the table user_key. */
int vault_key_new(const Vault *vault, const Uuid *user_id, Arena *arena, UserKey *ret_key,
                  Str *ret_wrapped);
/* 0, VAULT_E_BROKEN, or a fault. */
int vault_key_open(const Vault *vault, const Uuid *user_id, Str wrapped, UserKey *ret_key);

/* Wraps a user's key, or one of the service's own (by its name in user_service_key), with the
 * newest master key. 0, VAULT_E_BROKEN, or a fault. */
int vault_rewrap_user(const Vault *vault, const Uuid *user_id, Str wrapped, Arena *arena,
                      Str *ret_wrapped);
int vault_rewrap_service(const Vault *vault, Str name, Str wrapped, Arena *arena, Str *ret_wrapped);

/* A key that is made of a secret of 32 random bytes, for what only its holder shall read; of
 * another purpose it is another key, and it belongs to no user. */
void vault_key_of_secret(Str secret, const char *purpose, UserKey *ret_key);

/* The same for rows of no user: the key is the service's. */
const UserKey *vault_service_key(const Vault *vault);

/* A keyed hash (HMAC-SHA-256) of an address in canonical form (user_email_canonical()). */
void vault_hash_email(const Vault *vault, Str canonical, uint8_t ret_hash[VAULT_HASH_LEN]);

/* The same of an identity at another issuer. */
void vault_hash_identity(const Vault *vault, Str issuer, Str subject,
                         uint8_t ret_hash[VAULT_HASH_LEN]);

/* The chain of audit rows: HMAC-SHA-256 over parts, each preceded by its length. */
void vault_audit_mac(const Vault *vault, const Str *parts, size_t n_parts,
                     uint8_t ret_mac[VAULT_HASH_LEN]);
