/* SPDX-License-Identifier: Apache-2.0 */
#include "app/listen_address.h"

#include "base/error.h"

#include <arpa/inet.h>

static bool is_numeric(const char *address) {
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

int listen_address_parse(const char *text, Arena *arena, ListenAddress *ret_address) {
    const char *colon = strrchr(text, ':');
    const char *address = "127.0.0.1";
    Str host = {text, colon ? (size_t)(colon - text) : 0};
    uint64_t port;

    if (str_to_u64(str_from(colon ? colon + 1 : text), &port) < 0 || port > UINT16_MAX) {
        return -EINVAL;
    }
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        address = arena_strdup(arena, (Str){host.ptr + 1, host.len - 2});
    } else if (memchr(host.ptr, ':', host.len)) {
        return -EINVAL; /* where does an IPv6 address without brackets end? */
    } else if (host.len > 0 && !str_equal(host, str_lit("localhost"))) {
        address = arena_strdup(arena, host);
    }
    if (!is_numeric(address)) {
        return -EINVAL;
    }
    *ret_address = (ListenAddress){address, (uint16_t)port};
    return 0;
}
