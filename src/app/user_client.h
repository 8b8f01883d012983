/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The client of the user part that runs in another process (core/contracts/access.h over HTTP). */

#include "app/settings.h"
#include "base/metrics.h"
#include "core/contracts/access.h"
#include "core/identity/service_token.h"
#include "core/ports/cache.h"

typedef struct UserClient {
    ServiceSigner *signer;
    Access *access;
} UserClient;

/*
 * For the part of that name (core/identity/service_token.h). Warns when the user part does not
 * answer: it may come later. 0; or a fault with a whole sentence in *reterr_text, from the arena.
 */
int user_client_start(const Settings *settings, const char *from, Cache *cache, Metrics *metrics,
                      Arena *arena, UserClient *ret_client, const char **reterr_text);

/* Whatever was built, also half. */
void user_client_done(UserClient *client);
