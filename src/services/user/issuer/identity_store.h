/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The tables user_identity and user_identity_owner: who somebody is at other issuers. Calls run in
 * a transaction of the caller's.
 */

#include "services/user/vault.h"

#define IDENTITIES_MAX 20 /* of one user */

typedef struct Identity {
    Uuid user_id, identity_id;
    const char *issuer, *subject; /* which together never change hands (Core 1.0, section 5.7) */
    const char *email;            /* as it was when it was linked */
    int64_t created_us, used_us;
} Identity;

enum {
    IDENTITY_E_NONE = 1,
    IDENTITY_E_EXISTS, /* it is somebody's already, this user's or another's */
    IDENTITY_E_FULL,   /* the user has IDENTITIES_MAX */
};

extern const DbStatement identity_statements[];
extern const size_t identity_statements_len;

/* Whose it is: 0 or IDENTITY_E_NONE. */
int identity_store_owner(DbTx *tx, const Vault *vault, const char *issuer, const char *subject,
                         Arena *arena, Uuid *ret_user_id);
/* Fills identity_id; user_id is the key's. 0, IDENTITY_E_EXISTS, IDENTITY_E_FULL. */
int identity_store_add(DbTx *tx, const Vault *vault, const UserKey *key, Arena *arena,
                       Identity *identity);
/* The oldest first. */
int identity_store_list(DbTx *tx, const UserKey *key, Arena *arena, Identity **ret_identities,
                        size_t *ret_n);
int identity_store_used(DbTx *tx, const Vault *vault, const Uuid *user_id, const char *issuer,
                        const char *subject, int64_t now_us);
/* 0 or IDENTITY_E_NONE. */
int identity_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *identity_id);
