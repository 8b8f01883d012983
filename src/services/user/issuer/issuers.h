/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The OpenID Connect providers of others that people may sign in with, read once from a JSON file
 * that the operator keeps:
 *
 *   {"allow": "10.1.0.0/16",               networks, beside the public ones, that they may be in
 *    "issuers": [{
 *     "name": "corp",                      1..32 of [a-z0-9-]: part of the redirect URI
 *     "title": "Example Corp",             what people are shown
 *     "issuer": "https://login.example.com",
 *     "client_id": "image-sync",
 *     "client_secret": "...",              absent: a public client
 *     "token_endpoint_auth_method": "client_secret_basic",   or client_secret_post, or none
 *     "scope": "openid email profile",
 *     "registration": true                 false: only who has an account may come in by it
 *   }]}
 *
 * URLs are https, or http to this machine. Never changes once read; thread-safe.
 */

#include "base/arena.h"
#include "base/http/netguard.h"

typedef enum IssuerAuth {
    ISSUER_AUTH_BASIC, /* RFC 6749 2.3.1 */
    ISSUER_AUTH_POST,
    ISSUER_AUTH_NONE,
} IssuerAuth;

typedef struct Issuer {
    const char *name, *title, *issuer, *client_id;
    const char *client_secret; /* NULL: none */
    const char *scope;
    IssuerAuth auth;
    bool registration;
} Issuer;

typedef struct Issuers {
    Arena *arena;
    Issuer *issuers;
    size_t n_issuers;
    Netguard guard;
} Issuers;

/*
 * `path` "": there are none. 0, or -EINVAL with a sentence in *reterr in the arena; also when the
 * file holds a secret and others on this machine can read it.
 */
int issuers_read(const char *path, Arena *arena, Issuers **ret_issuers, const char **reterr);
Issuers *issuers_free(Issuers *issuers); /* accepts NULL */
DEFINE_CLEANUP(Issuers *, issuers_free)

/* Borrowed; NULL: there is none. */
const Issuer *issuers_find(const Issuers *issuers, Str name);
const Issuer *issuers_find_url(const Issuers *issuers, Str url);

/*
 * Whether it is an address that secrets may be sent to: https with a host, or http to 127.0.0.1,
 * [::1] or localhost, which only tests and this machine's own servers have. No user, no fragment.
 */
bool issuer_url_is_allowed(Str url);
bool issuer_url_is_loopback(Str url);
