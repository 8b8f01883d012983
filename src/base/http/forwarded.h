/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who calls through proxies: the header X-Forwarded-For, read from its end. */

#include "base/arena.h"
#include "base/http/netguard.h"

/*
 * One step back from `peer` for each proxy that is trusted: `hops` is the header's value, or those
 * of several joined with commas. Returns `peer` itself when it is no trusted proxy, or when its
 * last hop is no address; else an address in the arena.
 */
const char *forwarded_peer(const Netguard *trusted, const char *peer, Str hops, Arena *arena);
