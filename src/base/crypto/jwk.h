/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Signing keys as JSON Web Keys (RFC 7517, 7518 6, 8037 2) and sets of them. A key has one
 * algorithm, which follows from its type (of an RSA key RS256, unless it says PS256 itself); what a
 * token's header claims never chooses it (RFC 8725 3.1).
 *
 * A Jwk never changes, is counted, and may be used by many threads at once. A Jwks is filled by one
 * thread; then many may read it.
 */

#include "base/crypto/aead.h"
#include "base/str.h"

#include <jansson.h>

typedef enum JwkAlg {
    JWK_ALG_ES256, /* ECDSA on P-256 with SHA-256 (RFC 7518 3.4) */
    JWK_ALG_EDDSA, /* Ed25519 (RFC 8037 3.1) */
    JWK_ALG_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 3.3); to verify only */
    JWK_ALG_PS256, /* RSASSA-PSS with SHA-256 (RFC 7518 3.5); the same */
} JwkAlg;

#define JWK_SIGNATURE_MAX 1024 /* of RSA with 8192 bits */
#define JWKS_KEYS_MAX     64
#define JWKS_LEN_MAX      ((size_t)256 << 10) /* of the text of a set */

enum {
    JWK_E_INVALID = 1, /* not a JWK (or set), or one that must not be trusted */
    JWK_E_UNSUPPORTED, /* a key of another type, curve, algorithm, size or use */
    JWK_E_FORGED, /* the signature is not of these bytes by this key; a sealed key was changed */
};

typedef struct Jwk Jwk;
typedef struct Jwks Jwks;

/* A new private key, ES256 or EdDSA, whose kid is its thumbprint. 0, or -EIO. */
int jwk_generate(JwkAlg alg, Jwk **ret_jwk);

/* The EdDSA private key of a seed (RFC 8032 5.1.5), for keys that are derived from another. 0, or
 * -EIO. */
#define JWK_SEED_LEN 32
int jwk_from_seed(const uint8_t seed[JWK_SEED_LEN], Jwk **ret_jwk);

/*
 * A public key. Its kid is the member "kid" (1..255 bytes) or else its thumbprint. Refused: private
 * members (somebody published a secret), points off the curve, RSA below 2048 or above 8192 bits or
 * with an even, tiny or huge exponent (invalid); "alg", "use" or "key_ops" that do not
 * allow verifying with its one algorithm (unsupported). 0, JWK_E_INVALID, JWK_E_UNSUPPORTED.
 */
int jwk_read(const json_t *object, Jwk **ret_jwk);
/* The public members, "kid", "alg" and "use", as a new reference. */
json_t *jwk_write(const Jwk *jwk);

Jwk *jwk_ref(Jwk *jwk);
Jwk *jwk_unref(Jwk *jwk); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(Jwk *, jwk_unref)

JwkAlg jwk_alg(const Jwk *jwk);
const char *jwk_alg_name(JwkAlg alg); /* "ES256", "EdDSA", "RS256", "PS256" */
const char *jwk_kid(const Jwk *jwk);
const char *jwk_thumbprint(const Jwk *jwk); /* SHA-256 in base64url (RFC 7638 3) */
bool jwk_is_private(const Jwk *jwk);

/*
 * A private key for storage: PKCS #8 DER (RFC 5208), sealed by aead_seal() and appended. 0, or
 * -EIO. jwk_open() gives it back, with its thumbprint as kid: 0, JWK_E_FORGED (as AEAD_E_FORGED),
 * JWK_E_UNSUPPORTED (not a P-256 or Ed25519 private key), or -EIO, -EMSGSIZE.
 */
int jwk_seal(const Jwk *jwk, const uint8_t key[AEAD_KEY_LEN], Str associated, Buf *out);
int jwk_open(Str sealed, const uint8_t key[AEAD_KEY_LEN], Str associated, Jwk **ret_jwk);

/*
 * Signatures as JWS has them: ES256 is R and S of 32 bytes each (RFC 7518 3.4), EdDSA 64 bytes,
 * RS256 and PS256 as long as the modulus; of any other length is forged. Signing needs a private
 * key and writes 64 bytes. 0, JWK_E_FORGED (verifying), or -EIO.
 */
int jwk_sign(const Jwk *jwk, Str bytes, uint8_t ret_signature[64]);
int jwk_verify(const Jwk *jwk, Str bytes, Str signature);

/* A set; aborts when memory is exhausted. */
Jwks *jwks_new(void);
Jwks *jwks_free(Jwks *jwks); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(Jwks *, jwks_free)

/*
 * The text of a set (RFC 7517 5). Unsupported keys are left out, as the RFC wants. Refused: what is
 * not such a set, longer than JWKS_LEN_MAX, more than JWKS_KEYS_MAX keys, members given twice,
 * invalid keys, two keys of one kid. 0, or JWK_E_INVALID.
 */
int jwks_read(Str text, Jwks **ret_jwks);
/* {"keys": [...]}, public members only, as a new reference. */
json_t *jwks_write(const Jwks *jwks);

/* Keeps a reference of its own. 0, or JWK_E_INVALID: full, or the kid is there already. */
int jwks_add(Jwks *jwks, Jwk *jwk);
/* Borrowed, NULL when there is none. */
const Jwk *jwks_find(const Jwks *jwks, Str kid);
/* The key of a set that has only one, for tokens without a kid; else NULL. */
const Jwk *jwks_only(const Jwks *jwks);
