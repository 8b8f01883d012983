/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which network addresses the server may be sent to by a stranger. */

#include "base/str.h"

#include <sys/socket.h>

#define NETGUARD_RANGES_MAX 32

typedef struct NetRange {
    int family; /* AF_INET or AF_INET6 */
    uint8_t address[16];
    unsigned bits;
} NetRange;

typedef struct Netguard {
    NetRange allowed[NETGUARD_RANGES_MAX]; /* exceptions made by configuration */
    size_t n_allowed;
} Netguard;

/* Adds "10.1.0.0/16,fd00::/8" to the exceptions. -EINVAL with the part at fault, -E2BIG. */
int netguard_allow(Netguard *guard, Str ranges, Str *reterr_at);

/* Whether the exceptions have this numeric address; false for any other text. */
bool netguard_lists(const Netguard *guard, const char *address);

/*
 * False for everything that is not plain public unicast: loopback, private, link-local, CGNAT,
 * multicast, reserved, documentation, cloud metadata, unique local, and IPv6 forms that carry an
 * IPv4 address (mapped, compatible, 6to4, Teredo, NAT64), unless an exception covers it.
 * Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
 */
bool netguard_permits(const Netguard *guard, const struct sockaddr *address);
