/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What jwk.c (keys and signatures) and jwk_json.c (their JSON) share. */

#include "base/crypto/jwk.h"

#include <openssl/evp.h>

#define JWK_KID_MAX     255
#define JWK_THUMB_SIZE  44 /* 43 characters and the NUL */
#define JWK_COORD_LEN   32 /* of P-256 and of Ed25519 */
#define JWK_RSA_LEN_MAX ((size_t)JWK_SIGNATURE_MAX)

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* Takes the key, whatever it returns; `kid` may be NULL: the thumbprint. 0, or -EIO. */
int jwk_wrap(EVP_PKEY *pkey, JwkAlg alg, bool is_private, const char *kid, Jwk **ret_jwk);
EVP_PKEY *jwk_pkey(const Jwk *jwk);
/* The members that make the key and its thumbprint (RFC 7638 3.2), as a new reference or NULL. */
json_t *jwk_members(EVP_PKEY *pkey, JwkAlg alg);
