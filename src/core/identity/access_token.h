/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Access tokens as other services see them: JSON Web Tokens of the profile of RFC 9068, which
 * whoever has the issuer's public keys verifies alone. What was found good once is remembered under
 * the token's SHA-256 until it expires, in bounded memory, so that the same token again costs a
 * look-up. A grant that was revoked meanwhile does not show here: tokens are short-lived, and who
 * must know at once asks the user service.
 */

#include "base/crypto/jwk.h"
#include "base/uuid.h"

/* What a token may be used for; bits. */
enum {
    SCOPE_OPENID = 1 << 0,
    SCOPE_PROFILE = 1 << 1,
    SCOPE_EMAIL = 1 << 2,
    SCOPE_OFFLINE_ACCESS = 1 << 3,
    SCOPE_ACCOUNT = 1 << 4, /* the user service's own interface */
    SCOPE_LIBRARY = 1 << 5, /* that of the sync service: photos, albums, edits */
};
#define SCOPES_ALL ((uint32_t)63)

/* Scope tokens with a blank between them (RFC 6749 3.3). 0, or -EINVAL: empty, or one is unknown.
 */
int scopes_parse(Str text, uint32_t *ret_scopes);
/* Appends them, in the order above. */
void scopes_write(uint32_t scopes, Buf *out);

#define CLIENT_ID_LEN_MAX 64

typedef struct AccessToken {
    Uuid user_id, grant_id;
    uint32_t scopes;
    int64_t issued_s, expires_s, authenticated_s; /* since 1970 */
    char client_id[CLIENT_ID_LEN_MAX + 1];
} AccessToken;

enum {
    ACCESS_TOKEN_E_INVALID = 1, /* not one of this issuer's, for this audience, now */
};

typedef struct AccessVerifier AccessVerifier;

/* Copies both. Until it has keys every token is invalid. Aborts when memory is exhausted. */
AccessVerifier *access_verifier_new(const char *issuer, const char *audience);
AccessVerifier *access_verifier_free(AccessVerifier *verifier); /* accepts NULL */
DEFINE_CLEANUP(AccessVerifier *, access_verifier_free)

/* Takes the set over, and forgets what was verified with the one before. Thread-safe. */
void access_verifier_set_keys(AccessVerifier *verifier, Jwks *keys);

/*
 * Signature, "typ", "iss", "aud", "exp", "nbf" and "iat" (with ACCESS_TOKEN_LEEWAY_S), and the
 * claims that the struct holds. Scopes are the caller's to look at. 0, ACCESS_TOKEN_E_INVALID, or
 * -EIO. Thread-safe.
 */
#define ACCESS_TOKEN_LEEWAY_S 5
int access_verify(AccessVerifier *verifier, Str token, int64_t now_s, AccessToken *ret_token);
