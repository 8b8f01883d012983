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
 *     "device_grant": false,              true: may use RFC 8628; redirect_uris may be absent then
 *     "trusted": false                    true: the operator's own; people are not asked
 *   }]}
 *
 * Unless it is turned off, or the file has one of that id, the command line's own is among them.
 * Clients that admins keep in the table are in client_store.h; those of the file win.
 *
 * Redirect URIs are compared byte by byte; only http://127.0.0.1/... and http://[::1]/... without a
 * port take any port (RFC 8252 7.3). https, http to this machine, and private schemes with a dot in
 * them (RFC 8252 7.1) are allowed. Never changes once read; thread-safe.
 */

#include "base/arena.h"
#include "base/crypto/digest.h"
#include "base/crypto/jwk.h"
#include "base/json.h"

typedef struct OauthClient {
    const char *id, *name;
    bool confidential, trusted, device_grant;
    uint8_t secret_hash[DIGEST_LEN]; /* when confidential */
    const char **redirect_uris;      /* NULL-terminated, as is the next */
    const char **post_logout_redirect_uris;
    uint32_t scopes; /* that it may ask for */
    JwkAlg id_token_alg;
    bool remembers; /* consent may be remembered: nobody else can receive what is meant for it */
} OauthClient;

typedef struct OauthClients OauthClients;

#define OAUTH_CLI_CLIENT "imagesync-cli"

/* `path` "": there is no file; `cli`: with the command line's own client. 0, or -EINVAL with a
 * sentence in *reterr in the arena. */
int oauth_clients_read(const char *path, bool cli, Arena *arena, OauthClients **ret_clients,
                       const char **reterr);
OauthClients *oauth_clients_free(OauthClients *clients); /* accepts NULL */
DEFINE_CLEANUP(OauthClients *, oauth_clients_free)

/* Borrowed; NULL: there is none. */
const OauthClient *oauth_clients_find(const OauthClients *clients, Str id);
/* Borrowed, in the file's order; NULL: `at` is past the last. */
const OauthClient *oauth_clients_at(const OauthClients *clients, size_t at);

/* One client as above, its strings in the arena. NULL, or what is at fault. */
const char *oauth_client_read(const json_t *json, Arena *arena, OauthClient *ret_client);
/* A new object that oauth_client_read() takes, all members there but a secret's when there is none.
 */
json_t *oauth_client_write(const OauthClient *client);

/* Whether `uri` is one of `registered` by the rule above. */
bool oauth_uri_is_registered(const char *const *registered, Str uri);

/* In equal time whatever is sent; false for a public client. */
bool oauth_client_secret_is(const OauthClient *client, Str secret);
