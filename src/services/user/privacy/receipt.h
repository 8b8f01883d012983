/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What somebody gets who was erased: a signed JWT (RFC 7519, typ erasure-receipt+jwt) that says
 * whose rows went when, and how many of each table. It names no address. The database keeps it
 * sealed under a key that is made of its id (jti), which is a secret of 32 random bytes and known
 * to whoever got it by mail alone; and the public key that it was signed with, since keys that sign
 * tokens are soon replaced. Calls with a DbTx run in a transaction of the caller's.
 *
 *   iss  this server              sub  the user's id      jti   the receipt's id
 *   iat  when it was erased       asked  when that was asked for (both in seconds since 1970)
 *   exp  the end of time          rows   {"user_account": 1, ...}
 */

#include "base/crypto/jwk.h"
#include "base/uuid.h"
#include "services/user/vault.h"

#define RECEIPT_TYP    "erasure-receipt+jwt"
#define RECEIPT_ID_LEN 43 /* base64url of 32 bytes */

typedef struct Receipt {
    const char *issuer;
    Uuid user_id;
    int64_t asked_us, erased_us;
    const json_t *rows;
} Receipt;

enum {
    RECEIPT_E_NONE = 1, /* no receipt has that id; or its key is not one of this server's */
    RECEIPT_E_INVALID,  /* no receipt, or not signed by the key that it names */
};

extern const DbStatement receipt_statements[];
extern const size_t receipt_statements_len;

/* Signs and keeps one. *ret_token and *ret_hash (what the trail knows it by, in hex) are in the
 * arena. */
int receipt_add(DbTx *tx, const Vault *vault, const Jwk *key, const Receipt *receipt, Arena *arena,
                char ret_id[RECEIPT_ID_LEN + 1], const char **ret_token, const char **ret_hash);

/* By its id. *ret_token is in the arena. 0 or RECEIPT_E_NONE. */
int receipt_get(DbTx *tx, Str id, Arena *arena, const char **ret_token);

/* The public key of that kid, for whoever verifies one. *ret_jwk is a new reference. 0 or
 * RECEIPT_E_NONE. */
int receipt_key(DbTx *tx, const Vault *vault, Str kid, Arena *arena, Jwk **ret_jwk);

/* What kid a token says. 0 or RECEIPT_E_INVALID. */
int receipt_kid(Str token, Arena *arena, const char **ret_kid);

/*
 * Whether it was signed by this server, ever. *ret_claims is a new reference; *ret_kept, whether
 * the table has it. 0, RECEIPT_E_NONE, RECEIPT_E_INVALID.
 */
int receipt_verify(Db *db, const Vault *vault, Str token, json_t **ret_claims, bool *ret_kept);
