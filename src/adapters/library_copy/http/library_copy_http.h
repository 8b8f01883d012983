/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * core/contracts/library_copy.h asked of a sync service in another process, over HTTP. Each call
 * shows a service token; one that fails is tried once more, which changes nothing.
 */

#include "core/contracts/library_copy.h"
#include "core/identity/service_token.h"

typedef struct LibraryCopyHttpOptions {
    const char *url;       /* http(s)://HOST[:PORT][/PATH] */
    const char *ca_file;   /* PEM of the authorities of its certificate; "": the system's */
    uint32_t timeout_ms;   /* for one try */
    ServiceSigner *signer; /* outlives the client */
} LibraryCopyHttpOptions;

/* Connects to nothing yet. 0, or -EINVAL with a sentence in *reterr (a literal). */
int library_copy_http_new(const LibraryCopyHttpOptions *options, LibraryCopy **ret_copy,
                          const char **reterr);
/* Accepts NULL, returns NULL; no call is under way. */
LibraryCopy *library_copy_http_free(LibraryCopy *copy);
