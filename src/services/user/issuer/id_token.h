/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an ID token's claims have to say (OpenID Connect Core 1.0, section 3.1.3.7), and what is
 * taken from them. Pure functions; signature, issuer, audience and times were checked before. */

#include "base/arena.h"

#include <jansson.h>

#define SUBJECT_LEN_MAX 255 /* Core 1.0, section 2 */

typedef struct IdTokenExpect {
    const char *client_id, *nonce;
    const char *access_token;      /* that came with it, for at_hash; NULL: none */
    int64_t authenticated_after_s; /* since 1970: the proof must have been given then or later */
} IdTokenExpect;

/* NULL: it may be believed; else what is wrong, for the log. */
const char *id_token_fault(const json_t *claims, const IdTokenExpect *expect);

/* Of an ID token or of userinfo; what is absent, of another type or too long is "", false or 0. */
typedef struct IdentityClaims {
    const char *subject, *email, *name, *locale, *zone;
    bool email_verified;
    int64_t authenticated_s; /* when the issuer was last given a proof; 0: it does not say */
} IdentityClaims;
IdentityClaims identity_claims(const json_t *claims, Arena *arena);
