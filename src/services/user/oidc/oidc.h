/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The OpenID Connect provider (OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0; RFC
 * 6749, 6750, 7009, 7636, 7662, 8252, 8628, 9068, 9207): state and handlers that its files share.
 * The flows are the authorization code with PKCE and S256, and the device authorization grant.
 *
 *   GET /.well-known/openid-configuration, /oauth/jwks           what clients find
 *   GET, POST /oauth/authorize; POST /oauth/sign-in, /oauth/consent   people's browsers
 *   POST /oauth/token, /oauth/revoke, /oauth/introspect          clients
 *   GET, POST /oauth/userinfo; GET /oauth/userinfo/picture       with an access token
 *   GET, POST /oauth/end-session                                 signing out
 *   POST /oauth/device-authorization                             clients without a browser
 *   GET, POST /oauth/device; POST /oauth/device/sign-in          where their code is typed
 */

#include "base/http/form.h"
#include "services/user/call.h"
#include "services/user/oidc/clients.h"
#include "services/user/oidc/grant_store.h"
#include "services/user/oidc/signing_keys.h"

#define OIDC_CODE_LIFE_S 60
#define OIDC_ROUTES_MAX  32

struct UserOidc {
    OauthClients *clients;
    SigningKeys *keys;
    AccessVerifier *verifier; /* since the public URL is known */
    uint8_t page_key[32];     /* for the tokens of forms */
    HttpRoute routes[OIDC_ROUTES_MAX];
};

/* A call without a rule: whoever it is. */
UserCall oidc_call(UserService *service, HttpRequest *request);

/* The fields of a form body, each given once at most and without NUL. False: it was answered. */
bool oidc_form(UserCall *call, Form *ret_form);
const char *oidc_field(UserCall *call, const Form *form, const char *name); /* NULL: absent or "" */

/* JSON, for programs of any origin. `headers` may be NULL. */
void oidc_respond_json(UserCall *call, unsigned status, const json_t *body,
                       const HttpHeader *headers);
/* RFC 6749 5.2. */
void oidc_respond_error(UserCall *call, unsigned status, const char *error,
                        const char *description);
void oidc_respond_fault(UserCall *call, int r);

/* Of the configuration (borrowed), else of the table (in the arena); *ret_client NULL: there is
 * none. 0 or a fault. */
int oidc_find_client(UserCall *call, Str id, const OauthClient **ret_client);

/* RFC 6749 2.3: by Basic, by fields, or a public client by its id. NULL: it was answered. */
const OauthClient *oidc_client(UserCall *call, const Form *form);

/*
 * The answer of the token endpoint: access token, ID token when the scope has openid, and with
 * `refresh` the refresh token of the grant's counter. `scopes` are those of the access token. 0 or
 * a fault; *ret_body is a new reference.
 */
int oidc_tokens(UserCall *call, const OauthClient *client, const Grant *grant, uint32_t scopes,
                bool refresh, bool nonce, json_t **ret_body);

/* When a grant that is used now ends unless it is used again. */
int64_t oidc_grant_end_us(const UserCall *call, const Grant *grant);

#define OIDC_DEVICE_GRANT "urn:ietf:params:oauth:grant-type:device_code"
/* The token endpoint for that grant type (RFC 8628 3.4): answers. */
void oidc_device_poll(UserCall *call, const OauthClient *client, const Form *form);

/* An access token that is good and of a grant that is: 0, ACCESS_TOKEN_E_INVALID, or a fault. The
 * call needs no request. */
int oidc_find(UserCall *call, Str text, AccessToken *ret_token);

/* An access token sent as Bearer (RFC 6750 2.1), good and of a grant that is. */
UserFailure oidc_bearer(UserCall *call, AccessToken *ret_token);

/* RFC 6750 3.1: nothing is said of a token that was not sent (`error` NULL). */
void oidc_respond_bearer_error(UserCall *call, unsigned status, const char *error);
/* oidc_bearer() with that scope; or it has answered why not, and says false. */
bool oidc_admit_bearer(UserCall *call, uint32_t scope, AccessToken *ret_token);

/* Where the claim "picture" leads to, below the public URL. */
#define OIDC_PICTURE_PATH "/oauth/userinfo/picture"

/* Percent-encodes and appends "name=value", after '&' when something is there. */
void oidc_add_param(Buf *out, const char *name, const char *value);

HttpHandler oidc_discovery_handle, oidc_jwks_handle, oidc_options_handle;
HttpHandler oidc_authorize_handle, oidc_authorize_post_handle, oidc_sign_in_handle,
    oidc_consent_handle, oidc_style_handle;
HttpHandler oidc_token_handle, oidc_userinfo_handle, oidc_picture_handle, oidc_revoke_handle,
    oidc_introspect_handle;
HttpHandler oidc_end_session_handle, oidc_end_session_post_handle;
HttpHandler oidc_device_handle, oidc_device_page_handle, oidc_device_sign_in_handle,
    oidc_device_decide_handle;
