/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the rest of the service knows of its OpenID Connect provider. */

#include "core/identity/access_token.h"
#include "services/user/call.h"

typedef struct UserOidc UserOidc;

/* Needs service->vault. 0; -EINVAL with a sentence in *reterr that lives as long as `service`'s
 * arena; or a fault. */
int oidc_new(UserService *service, UserOidc **ret_oidc, const char **reterr);
UserOidc *oidc_free(UserOidc *oidc); /* accepts NULL */
/* The issuer is known now. */
void oidc_set_public_url(UserService *service);
/* The signing keys are read again at the next request. */
void oidc_reload_keys(UserService *service);
HttpRouteGroup oidc_group(UserService *service);

/* Whether an access token was sent, and is good: then fills call->session's user. Needs the scope
 * `account`. */
UserFailure oidc_authenticate(UserCall *call);
