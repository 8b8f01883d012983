/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON Web Tokens (RFC 7519): signed claims in the compact serialization (RFC 7515 7.1), read by
 * the rules of RFC 8725. The key is found by "kid" and brings its algorithm; a header that names
 * another one, `none` or an HMAC is refused, as are "crit" (no extension is understood), members
 * given twice, other than strict base64url, and tokens over JWT_LEN_MAX. Keys that a header brings
 * along (jwk, jku, x5u, x5c) are never looked at. Thread-safe.
 */

#include "base/crypto/jwk.h"
#include "base/crypto/jwt_claims.h"

#define JWT_LEN_MAX ((size_t)8192)

enum {
    JWT_E_MALFORMED = 1, /* not a signed token, or a claim of the wrong type */
    JWT_E_UNKNOWN_KEY,   /* no such kid: a set of another issuer may need to be fetched anew */
    JWT_E_ALGORITHM,     /* the header says another algorithm than the key's */
    JWT_E_SIGNATURE,     /* not signed by that key */
    JWT_E_TYPE,          /* another "typ" */
    JWT_E_ISSUER,
    JWT_E_AUDIENCE,
    JWT_E_EXPIRED,
    JWT_E_NOT_YET, /* "nbf" or "iat" lies in the future */
};

/* What a token must say. NULL asks for nothing. */
typedef struct JwtExpect {
    const char *typ;      /* "at+jwt" or "application/at+jwt", of either case (RFC 8725 3.11) */
    const char *issuer;   /* "iss", byte by byte */
    const char *audience; /* "aud" is it, or an array with it */
    int64_t now_s;        /* seconds since 1970 */
    uint32_t leeway_s;    /* how far clocks may differ, for exp, nbf and iat */
} JwtExpect;

/*
 * Appends a token with the header {"alg", "typ", "kid"}. `key` is private; `claims` is an object.
 * 0, or -E2BIG (over JWT_LEN_MAX), -EIO.
 */
int jwt_sign(const Jwk *key, const char *typ, const json_t *claims, Buf *out);

/*
 * Checks signature, then claims; "exp" must be there, "nbf" and "iat" may. A token without kid is
 * tried on the only key of a set. *ret_claims is a new reference, given only for a token
 * in which all is right. 0, a JWT_E_, or -EIO.
 */
int jwt_verify(Str token, const Jwks *keys, const JwtExpect *expect, json_t **ret_claims);
/* The same without a tree, for whoever verifies much: *ret_claims is filled in any case, and is to
 * be done with by jwt_claims_done(); it holds the claims of a token in which all is right, else
 * none. */
int jwt_verify_flat(Str token, const Jwks *keys, const JwtExpect *expect, JwtClaims *ret_claims);
