/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One fetch, between the pool (fetch.c) and the transfer (transfer.c); for src/base/http/ only. */

#include "base/http/fetch.h"

#include <stdatomic.h>

/* Strings of the result live in `arena`. Ends early when *cancelled becomes true. */
void transfer_run(const FetchOptions *options, const FetchRequest *request,
                  const atomic_bool *cancelled, Arena *arena, FetchResult *ret_result);
