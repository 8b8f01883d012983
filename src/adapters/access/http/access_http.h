/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * core/contracts/access.h asked of a user service in another process, over HTTP (libcurl,
 * connections kept). Each call shows a service token. A call whose answer was lost is repeated,
 * which the contract's ids make safe, a bounded number of times and with a jittered pause.
 *
 * A service that cannot be reached is not asked again for a second, but for settling, so that not
 * every request waits for it: such calls give -ENOTCONN at once. It is that, too, when it refuses
 * our token: that is for its operators to mend.
 */

#include "base/metrics.h"
#include "core/contracts/access.h"
#include "core/identity/service_token.h"
#include "core/ports/cache.h"

typedef struct AccessHttpOptions {
    const char *url;       /* http(s)://HOST[:PORT][/PATH] */
    const char *ca_file;   /* PEM of the authorities of its certificate; "": the system's */
    uint32_t timeout_ms;   /* for one try; a call takes at most about twice as long */
    ServiceSigner *signer; /* these three outlive the client */
    Cache *cache;          /* for keys: the user service's own where they share one */
    Metrics *metrics;
} AccessHttpOptions;

/* Connects to nothing yet. 0; -EINVAL with a sentence in *reterr (a literal); or a fault. */
int access_http_new(const AccessHttpOptions *options, Access **ret_access, const char **reterr);
Access *access_http_free(Access *access); /* accepts NULL, returns NULL; no call is under way */
DEFINE_CLEANUP(Access *, access_http_free)

/* Whether the service answers: 0; -EACCES: it refuses our token, the two have different service
 * keys; or a fault. */
int access_http_ping(Access *access);
