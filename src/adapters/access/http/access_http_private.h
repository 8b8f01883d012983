/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this adapter share. */

#include "adapters/access/http/access_http.h"
#include "base/http/client.h"
#include "core/cache/read_through.h"
#include "core/contracts/access_wire.h"

#include <stdatomic.h>

typedef struct AccessHttp {
    Access base; /* first */
    AccessHttpOptions options;
    HttpClient *http;
    ReadThrough *keys;
    _Atomic uint64_t down_until_ms;
    Metric *up, *answered, *failed, *retries;
} AccessHttp;

/*
 * Asks, again where that is safe, but for `always` not while the service is known to be away. 0: it
 * answered, with a result of the contract; or a fault. *ret_unsure: an earlier try may have been
 * done already.
 */
int access_http_call(AccessHttp *self, AccessVerb verb, const AccessQuestion *question, bool always,
                     Arena *arena, AccessAnswer *ret_answer, bool *ret_unsure);

/* In the arena. */
const char *access_http_id_text(const Uuid *id, Arena *arena);

/* Of the contract (access_http_caller.c). */
int access_http_find_caller(Access *base, Str credential, AccessCaller *ret_caller);
int access_http_library_key(Access *base, const Uuid *user_id, UserKey *ret_key);
