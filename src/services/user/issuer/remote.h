/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What other issuers are asked: discovery (OpenID Connect Discovery 1.0), keys, the token endpoint
 * and userinfo (OpenID Connect Core 1.0, sections 3.1.3 and 5.3). Answers are small, come in time
 * or not at all, and redirects are not followed. What an issuer published is kept for an hour, and
 * used on for a day while it does not answer; a key that is not known is looked for at most every
 * ISSUER_REFETCH_S. Thread-safe; calls wait for the network.
 */

#include "base/crypto/jwt.h"
#include "services/user/issuer/issuers.h"

#define ISSUER_REFETCH_S 10
#define ISSUER_LEEWAY_S  60 /* how far an issuer's clock may differ from ours */

typedef struct IssuerRemote IssuerRemote;

/* `issuers` must live as long. 0 or a fault. */
int issuer_remote_new(const Issuers *issuers, IssuerRemote **ret_remote);
IssuerRemote *issuer_remote_free(IssuerRemote *remote); /* accepts NULL */
DEFINE_CLEANUP(IssuerRemote *, issuer_remote_free)

enum {
    /* It does not answer, or not as the protocol says: *reterr has what was wrong, for the log. */
    ISSUER_E_AWAY = 1,
    ISSUER_E_FORGED, /* the token is not to be believed; the same */
};

typedef struct IssuerEndpoints {
    const char *authorization, *token, *jwks;
    const char *userinfo; /* NULL: none */
    bool sends_iss;       /* authorization responses name the issuer (RFC 9207) */
} IssuerEndpoints;

/* Strings are in the arena. 0, ISSUER_E_AWAY. */
int issuer_remote_endpoints(IssuerRemote *remote, const Issuer *issuer, int64_t now_us,
                            Arena *arena, IssuerEndpoints *ret_endpoints, const char **reterr);

typedef struct IssuerTokens {
    const char *id_token, *access_token; /* access_token NULL: none */
} IssuerTokens;

/* Redeems a code with its PKCE verifier (RFC 7636). 0, ISSUER_E_AWAY. */
int issuer_remote_redeem(IssuerRemote *remote, const Issuer *issuer,
                         const IssuerEndpoints *endpoints, const char *code, const char *verifier,
                         const char *redirect_uri, Arena *arena, IssuerTokens *ret_tokens,
                         const char **reterr);

/*
 * Signature (by a key that the issuer publishes, with that key's algorithm), issuer, audience and
 * times. *ret_claims is a new reference. 0, ISSUER_E_AWAY (no keys), ISSUER_E_FORGED, or a fault.
 */
int issuer_remote_verify(IssuerRemote *remote, const Issuer *issuer,
                         const IssuerEndpoints *endpoints, Str id_token, int64_t now_us,
                         Arena *arena, json_t **ret_claims, const char **reterr);

/* The claims about somebody, as a new reference; whose they are is the caller's to compare. 0,
 * ISSUER_E_AWAY. */
int issuer_remote_userinfo(IssuerRemote *remote, const IssuerEndpoints *endpoints,
                           const char *access_token, Arena *arena, json_t **ret_claims,
                           const char **reterr);
