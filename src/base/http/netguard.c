/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/netguard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

typedef struct Block {
    const char *address;
    unsigned bits;
} Block;

/*
 * IANA IPv4 Special-Purpose Address Registry, with 224/4 (multicast) and 240/4 (reserved). Cloud
 * metadata services live in 169.254/16, 100.64/10 and 192.0.0/24.
 */
static const Block refused_v4[] = {
    {"0.0.0.0", 8},       /* this network, RFC 791 */
    {"10.0.0.0", 8},      /* private, RFC 1918 */
    {"100.64.0.0", 10},   /* carrier-grade NAT, RFC 6598 */
    {"127.0.0.0", 8},     /* loopback, RFC 1122 */
    {"169.254.0.0", 16},  /* link-local, RFC 3927 */
    {"172.16.0.0", 12},   /* private, RFC 1918 */
    {"192.0.0.0", 24},    /* protocol assignments, RFC 6890 */
    {"192.0.2.0", 24},    /* documentation, RFC 5737 */
    {"192.31.196.0", 24}, /* AS112, RFC 7535 */
    {"192.52.193.0", 24}, /* AMT, RFC 7450 */
    {"192.88.99.0", 24},  /* 6to4 relays, RFC 7526 */
    {"192.168.0.0", 16},  /* private, RFC 1918 */
    {"192.175.48.0", 24}, /* AS112, RFC 7534 */
    {"198.18.0.0", 15},   /* benchmarks, RFC 2544 */
    {"198.51.100.0", 24}, /* documentation, RFC 5737 */
    {"203.0.113.0", 24},  /* documentation, RFC 5737 */
    {"224.0.0.0", 4},     /* multicast, RFC 1112 */
    {"240.0.0.0", 4},     /* reserved and broadcast, RFC 1112 */
};

/*
 * Global unicast is 2000::/3 (RFC 4291), which leaves out ::, ::1, IPv4-mapped and -compatible
 * addresses, 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), 100::/64 (discard), 5f00::/16, fc00::/7,
 * fe80::/10, fec0::/10 and ff00::/8; these are the exceptions within it.
 */
static const Block global_v6 = {"2000::", 3};
static const Block refused_v6[] = {
    {"2001::", 23},         /* protocol assignments with Teredo (2001::/32), RFC 2928 */
    {"2001:db8::", 32},     /* documentation, RFC 3849 */
    {"2002::", 16},         /* 6to4 carries an IPv4 address, RFC 3056 */
    {"2620:4f:8000::", 48}, /* AS112, RFC 7534 */
    {"3fff::", 20},         /* documentation, RFC 9637 */
};

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0) {
        return false;
    }
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static bool in_block(int family, const uint8_t *address, const Block *block) {
    uint8_t start[16];
    return inet_pton(family, block->address, start) == 1 && same_bits(address, start, block->bits);
}

static bool in_any(int family, const uint8_t *address, const Block *blocks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (in_block(family, address, &blocks[i])) {
            return true;
        }
    }
    return false;
}

static bool is_public(int family, const uint8_t *address) {
    if (family == AF_INET) {
        return !in_any(family, address, refused_v4, ARRAY_LEN(refused_v4));
    }
    return in_block(family, address, &global_v6) &&
           !in_any(family, address, refused_v6, ARRAY_LEN(refused_v6));
}

static bool is_allowed(const Netguard *guard, int family, const uint8_t *address) {
    for (size_t i = 0; i < guard->n_allowed; i++) {
        const NetRange *range = &guard->allowed[i];
        if (range->family == family && same_bits(address, range->address, range->bits)) {
            return true;
        }
    }
    return false;
}

bool netguard_permits(const Netguard *guard, const struct sockaddr *address) {
    const uint8_t *bytes;

    if (address->sa_family == AF_INET) {
        bytes = (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
    } else if (address->sa_family == AF_INET6) {
        bytes = (const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    } else {
        return false;
    }
    return is_allowed(guard, address->sa_family, bytes) || is_public(address->sa_family, bytes);
}

bool netguard_lists(const Netguard *guard, const char *address) {
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    uint8_t bytes[16];

    return inet_pton(family, address, bytes) == 1 && is_allowed(guard, family, bytes);
}

/* "10.1.0.0/16", or an address alone. */
static int parse_range(Str text, NetRange *ret_range) {
    NetRange range = {0};
    Str rest = text, address;
    char copy[INET6_ADDRSTRLEN];
    uint64_t bits;

    if (!str_next_token(&rest, "/", &address) || address.len >= sizeof(copy)) {
        return -EINVAL;
    }
    memcpy(copy, address.ptr, address.len);
    copy[address.len] = '\0';
    range.family = strchr(copy, ':') ? AF_INET6 : AF_INET;
    range.bits = range.family == AF_INET6 ? 128 : 32;
    if (strlen(copy) != address.len || inet_pton(range.family, copy, range.address) != 1) {
        return -EINVAL;
    }
    if (rest.ptr) {
        if (str_to_u64(rest, &bits) < 0 || bits > range.bits) {
            return -EINVAL;
        }
        range.bits = (unsigned)bits;
    }
    *ret_range = range;
    return 0;
}

int netguard_allow(Netguard *guard, Str ranges, Str *reterr_at) {
    Netguard grown = *guard;
    Str rest = ranges, part;

    while (str_next_token(&rest, ",", &part)) {
        part = str_trim(part);
        *reterr_at = part;
        if (part.len == 0) {
            continue;
        }
        if (grown.n_allowed == NETGUARD_RANGES_MAX) {
            return -E2BIG;
        }
        if (parse_range(part, &grown.allowed[grown.n_allowed]) < 0) {
            return -EINVAL;
        }
        grown.n_allowed++;
    }
    *guard = grown;
    return 0;
}
