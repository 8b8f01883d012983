/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * core/contracts/library_service.h asked of a sync service in another process, over HTTP. Each call
 * shows a service token; one that fails is tried once more, which harms nothing.
 */

#include "core/contracts/library_service.h"
#include "core/identity/service_token.h"

typedef struct LibraryServiceHttpOptions {
    const char *url;       /* http(s)://HOST[:PORT][/PATH] */
    const char *ca_file;   /* PEM of the authorities of its certificate; "": the system's */
    uint32_t timeout_ms;   /* for one try */
    ServiceSigner *signer; /* outlives the client */
} LibraryServiceHttpOptions;

/* Connects to nothing yet. 0, or -EINVAL with a sentence in *reterr (a literal). */
int library_service_http_new(const LibraryServiceHttpOptions *options, LibraryService **ret_service,
                             const char **reterr);
/* Accepts NULL, returns NULL; no call is under way. */
LibraryService *library_service_http_free(LibraryService *service);
