/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/forwarded.h"

#include <arpa/inet.h>

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443", "192.0.2.1:443"; NULL for anything else. */
static const char *address_of(Str hop, Arena *arena) {
    struct in6_addr bytes;
    const char *text, *end;

    hop = str_trim(hop);
    if (hop.len > 0 && hop.ptr[0] == '[') {
        end = memchr(hop.ptr, ']', hop.len);
        hop = end ? (Str){hop.ptr + 1, (size_t)(end - hop.ptr - 1)} : (Str){0};
    } else {
        end = hop.len > 0 ? memchr(hop.ptr, ':', hop.len) : NULL;
        if (end && !memchr(end + 1, ':', hop.len - (size_t)(end + 1 - hop.ptr))) {
            hop.len = (size_t)(end - hop.ptr);
        }
    }
    text = arena_strdup(arena, hop);
    if (strlen(text) != hop.len) {
        return NULL;
    }
    /* An IPv4 client of a proxy's dual-stack socket is the same client. */
    if (strncasecmp(text, "::ffff:", 7) == 0 && strchr(text, '.')) {
        text += 7;
    }
    return inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, &bytes) == 1 ? text : NULL;
}

/* The last of those that are left, which it takes away. */
static Str last_hop(Str *hops) {
    size_t at = hops->len;
    Str hop;

    while (at > 0 && hops->ptr[at - 1] != ',') {
        at--;
    }
    hop = (Str){hops->ptr + at, hops->len - at};
    hops->len = at > 0 ? at - 1 : 0;
    return hop;
}

const char *forwarded_peer(const Netguard *trusted, const char *peer, Str hops, Arena *arena) {
    while (hops.len > 0 && netguard_lists(trusted, peer)) {
        const char *address = address_of(last_hop(&hops), arena);
        if (!address) {
            break;
        }
        peer = address;
    }
    return peer;
}
