/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The tables user_grant and user_client_consent. A grant is what somebody let a client do once: a
 * code, then a chain of refresh tokens. A code or refresh token is base64url of the user's id, the
 * grant's id, a number and an HMAC of that number under a secret that lies sealed in the row. So
 * the table gives nobody a token, needs no row a token, and tells one that was replaced (a good
 * HMAC, an old number) from one that was made up.
 */

#include "services/user/account_store.h"

#define GRANT_SECRET_LEN     32
#define GRANT_CREDENTIAL_LEN 96  /* base64url of 72 bytes */
#define GRANTS_MAX           200 /* of one user; the oldest make room */

typedef enum GrantCredential {
    GRANT_CODE,
    GRANT_REFRESH,
} GrantCredential;

typedef struct Grant {
    Uuid user_id, grant_id, session_id;
    const char *client_id;
    uint32_t scopes, methods;
    uint8_t secret[GRANT_SECRET_LEN];
    const char *redirect_uri, *challenge, *nonce; /* nonce NULL: none */
    int64_t counter; /* 0: the code has not been used; else the refresh token that is good */
    int64_t authenticated_us, created_us, expires_us;
} Grant;

enum {
    GRANT_E_NONE = 1,
};

extern const DbStatement grant_statements[];
extern const size_t grant_statements_len;

/* Fills grant_id and secret; what has expired, and what is beyond GRANTS_MAX, goes. */
int grant_store_add(DbTx *tx, const UserKey *key, Arena *arena, Grant *grant);
/* 0 or GRANT_E_NONE; also one that has expired, since its reuse has to be told. */
int grant_store_get(DbTx *tx, const UserKey *key, const Uuid *grant_id, Arena *arena,
                    Grant *ret_grant);
/* Whether it is there and has not expired: 0 or GRANT_E_NONE. */
int grant_store_check(DbTx *tx, const Uuid *user_id, const Uuid *grant_id, int64_t now_us,
                      Arena *arena);
/* Writes counter and expiry. */
int grant_store_put(DbTx *tx, const Grant *grant);
int grant_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *grant_id);

/* The oldest first, without what is sealed: no secret, no redirect URI. */
int grant_store_list(DbTx *tx, const Uuid *user_id, Arena *arena, Grant **ret_grants,
                     size_t *ret_n);

/* The scopes that need not be asked for again; 0: none. */
int consent_store_get(DbTx *tx, const Uuid *user_id, const char *client_id, Arena *arena,
                      uint32_t *ret_scopes);
int consent_store_put(DbTx *tx, const Uuid *user_id, const char *client_id, uint32_t scopes,
                      int64_t now_us);

#define CLIENT_CONSENTS_MAX 1000 /* that are listed */

typedef struct ClientConsent {
    const char *client_id;
    uint32_t scopes;
    int64_t created_us;
} ClientConsent;

/* By client. */
int consent_store_list(DbTx *tx, const Uuid *user_id, Arena *arena, ClientConsent **ret_consents,
                       size_t *ret_n);

/* The code, or the refresh token of the grant's counter; NUL-terminated. */
void grant_credential(const Grant *grant, GrantCredential kind,
                      char ret_text[GRANT_CREDENTIAL_LEN + 1]);

typedef struct GrantClaim {
    Uuid user_id, grant_id;
    int64_t counter;
    uint8_t mac[32];
} GrantClaim;
/* -EINVAL: of another form. Nothing in it is to be believed before grant_claim_is_good(). */
int grant_claim_parse(Str text, GrantClaim *ret_claim);
bool grant_claim_is_good(const Grant *grant, GrantCredential kind, const GrantClaim *claim);
