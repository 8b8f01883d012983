/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table user_api_key: of a key (see core/contracts/access.h) it keeps SHA-256 of the secret.
 * Calls run in a transaction of the caller's.
 */

#include "core/contracts/access.h"
#include "services/user/vault.h"

#define API_KEY_SECRET_LEN ACCESS_KEY_SECRET_LEN
#define API_KEY_TEXT_LEN   ACCESS_KEY_TEXT_LEN
#define API_KEY_HINT_LEN   16  /* the prefix and 9 bytes of the id */
#define API_KEY_NAME_MAX   100 /* bytes */
#define API_KEYS_MAX       100 /* of one user */

extern const char *const api_key_scope_names[]; /* by the bits of core/contracts/access.h */

typedef struct ApiKey {
    Uuid user_id, key_id;
    uint8_t secret_hash[VAULT_HASH_LEN];
    const char *name, *hint; /* api_key_store_get() gives NULLs */
    uint32_t scopes;
    int64_t created_us;
    int64_t expires_us; /* 0: never */
    int64_t used_us;    /* 0: never; else within a minute or so */
} ApiKey;

enum {
    API_KEY_E_NONE = 1, /* no such key of that user, or the user is not active */
    API_KEY_E_FULL,     /* the user has API_KEYS_MAX already */
};

extern const DbStatement api_key_statements[];
extern const size_t api_key_statements_len;

/* Fills key_id, secret_hash and, in the arena, hint; user_id is there already. */
void api_key_new(ApiKey *key, Arena *arena, char ret_text[API_KEY_TEXT_LEN + 1]);

/* 0 or API_KEY_E_FULL. */
int api_key_store_add(DbTx *tx, const UserKey *vault_key, Arena *arena, const ApiKey *key);
/* Expired or not. 0 or API_KEY_E_NONE. */
int api_key_store_get(DbTx *tx, const Uuid *user_id, const Uuid *key_id, Arena *arena,
                      ApiKey *ret_key);
/* The newest first, expired ones too. */
int api_key_store_list(DbTx *tx, const UserKey *vault_key, Arena *arena, ApiKey **ret_keys,
                       size_t *ret_n);
/* Only which there are. */
int api_key_store_ids(DbTx *tx, const Uuid *user_id, Arena *arena, Uuid **ret_ids, size_t *ret_n);
int api_key_store_used(DbTx *tx, const Uuid *user_id, const Uuid *key_id, int64_t now_us);
/* 0 or API_KEY_E_NONE. */
int api_key_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *key_id);
