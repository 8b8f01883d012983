/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The programs that may ask people to sign in here: OAuth clients (RFC 6749 2), read once from a
 * JSON file that the operator keeps:
 *
 *   {"clients": [{
 *     "id": "shop",                       1..64 of [A-Za-z0-9._-]
 *     "name": "The Shop",                 what people are shown
 *     "secret_sha256": "9f86d0...",       SHA-256 of a random secret, in hex; absent: public client
 *     "redirect_uris": ["https://shop.example.com/callback"],
 *     "post_logout_redirect_uris": ["https://shop.example.com/"],
 *     "scope": "openid profile email offline_access",
 *     "id_token_signed_response_alg": "ES256",   or "EdDSA"
 *     "trusted": false                    true: the operator's own; people are not asked
 *   }]}
 *
 * Redirect URIs are compared byte by byte; only http://127.0.0.1/... and http://[::1]/... without a
 * port take any port (RFC 8252 7.3). https, http to this machine, and private schemes with a dot in
 * them (RFC 8252 7.1) are allowed. Never changes once read; thread-safe.
 */

#include "base/arena.h"
#include "base/crypto/digest.h"
#include "base/crypto/jwk.h"

typedef struct OauthClient {
    const char *id, *name;
    bool confidential, trusted;
    uint8_t secret_hash[DIGEST_LEN]; /* when confidential */
    const char **redirect_uris;      /* NULL-terminated, as is the next */
    const char **post_logout_redirect_uris;
    uint32_t scopes; /* that it may ask for */
    JwkAlg id_token_alg;
    bool remembers; /* consent may be remembered: nobody else can receive what is meant for it */
} OauthClient;

typedef struct OauthClients OauthClients;

/* `path` "": there are none. 0, or -EINVAL with a sentence in *reterr in the arena. */
int oauth_clients_read(const char *path, Arena *arena, OauthClients **ret_clients,
                       const char **reterr);
OauthClients *oauth_clients_free(OauthClients *clients); /* accepts NULL */
DEFINE_CLEANUP(OauthClients *, oauth_clients_free)

/* Borrowed; NULL: there is none. */
const OauthClient *oauth_clients_find(const OauthClients *clients, Str id);

/* Whether `uri` is one of `registered` by the rule above. */
bool oauth_uri_is_registered(const char *const *registered, Str uri);

/* In equal time whatever is sent; false for a public client. */
bool oauth_client_secret_is(const OauthClient *client, Str secret);
