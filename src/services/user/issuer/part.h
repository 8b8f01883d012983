/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Signing in with another issuer (OpenID Connect Core 1.0 as a client; RFC 7636, 9207, 9700).
 *
 *   GET /oauth/issuers/{name}/start       off to the issuer, to come back signed in
 *   GET /oauth/issuers/{name}/callback    back with a code
 *   POST /oauth/issuers/finish            when something had to be asked: a code, a password, or
 *                                         whether one agrees to what an account needs
 *   GET /v1/issuers                       which there are
 *   GET, POST, DELETE /v1/me/identities   one's own identities elsewhere
 *   POST /v1/sessions/proof/issuer        a fresh proof by one of them
 *
 * An identity is an issuer and a subject. One that is known signs in, with the account's second
 * factor where it has one. One that is not, opens an account when the issuer vouches for an address
 * that has none. Where the address has an account the identity is linked with it only after its
 * owner has signed in to it another way.
 */

#include "services/user/call.h"

typedef struct UserIssuer UserIssuer;

/* Needs service->vault. 0; -EINVAL with a sentence in *reterr that lives as long as `service`'s
 * arena; or a fault. */
int issuer_new(UserService *service, UserIssuer **ret_issuer, const char **reterr);
UserIssuer *issuer_free(UserIssuer *issuer); /* accepts NULL */

/*
 * Appends a link to each issuer, as HTML, for a page where somebody is to sign in. `back` is the
 * path to come back to; NULL, or when it is too long: nothing is appended. With `fresh` the issuer
 * is told to ask for a proof, even of somebody who is signed in there.
 */
void issuer_add_links(const UserService *service, const char *back, bool fresh, Buf *html);

/* Whether an identity of the issuer with that URL can sign in: it is still configured. */
bool issuer_is_configured(const UserService *service, const char *url);

HttpHandler issuer_start_handle, issuer_callback_handle, issuer_finish_handle;
HttpHandler issuer_list_handle, issuer_prove_handle;
HttpHandler identity_list_handle, identity_link_handle, identity_remove_handle;
