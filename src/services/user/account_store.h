/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The tables user_account, user_email and user_key. Calls run in a transaction of the caller's. */

#include "services/user/vault.h"

typedef enum AccountStatus {
    ACCOUNT_ACTIVE,
    ACCOUNT_LOCKED,  /* by an admin: nobody signs in */
    ACCOUNT_ERASING, /* its owner asked for erasure; signing in takes that back until erase_us */
} AccountStatus;

typedef enum AccountRole {
    ACCOUNT_ROLE_USER,
    ACCOUNT_ROLE_SUPPORT, /* reads what admins read */
    ACCOUNT_ROLE_ADMIN,
} AccountRole;

extern const char *const account_role_names[];   /* user support admin */
extern const char *const account_status_names[]; /* active locked erasing */

#define PROFILE_NAME_MAX   200 /* bytes */
#define PROFILE_LOCALE_MAX 35  /* RFC 5646, section 4.4.1 */
#define PROFILE_ZONE_MAX   64

typedef struct Profile {
    const char *name, *locale, *zone; /* "" when not given */
} Profile;

/* An opened row; strings live in the arena it was read into. */
typedef struct Account {
    UserKey key; /* key.user_id is whose it is */
    int status, role;
    const char *email;
    Profile profile;
    const char *password; /* the Argon2id string; NULL: none */
    Str totp;             /* the secret; empty: none */
    int64_t totp_step;
    int64_t erase_us; /* 0: is not to be erased */
    int64_t created_us;
    int64_t version;
    int64_t avatar_version; /* 0: none; avatar_store.h writes it */
} Account;
/* Wipes the key and the secrets. */
void account_done(Account *account);

enum {
    ACCOUNT_E_NONE = 1, /* there is no such account */
    ACCOUNT_E_EXISTS,   /* the address has one already */
    ACCOUNT_E_STALE,    /* the version is not the one that was read */
};

/* The statements, for db_check(). */
extern const DbStatement account_statements[];
extern const size_t account_statements_len;

/* By id, or by the hash of the address. 0, ACCOUNT_E_NONE, or a fault (-EBADMSG: does not open). */
int account_store_get(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                      Account *ret_account);
/* The user's key alone. */
int account_store_key(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                      UserKey *ret_key);
int account_store_find(DbTx *tx, const Vault *vault, const uint8_t email_hash[VAULT_HASH_LEN],
                       Arena *arena, Account *ret_account);
/* Only whose the address is. */
int account_store_find_id(DbTx *tx, const uint8_t email_hash[VAULT_HASH_LEN], Arena *arena,
                          Uuid *ret_user_id);

/* A new account: makes its key, and fills account->key and ->version. 0 or ACCOUNT_E_EXISTS. */
int account_store_add(DbTx *tx, const Vault *vault, Arena *arena, Account *account);

/*
 * Writes status, role, profile, password, TOTP and erasure of an account that was read before in
 * this transaction or at that version; the address too when it has changed. 0, ACCOUNT_E_STALE, or
 * ACCOUNT_E_EXISTS (the new address).
 */
int account_store_put(DbTx *tx, const Vault *vault, Arena *arena, Account *account);
