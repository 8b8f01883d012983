/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/arena.h"

typedef struct ListenAddress {
    const char *address; /* without brackets, in the arena */
    uint16_t port;
} ListenAddress;

/*
 * "ADDRESS:PORT", "[IPV6]:PORT", ":PORT" or "PORT" (the last two: 127.0.0.1). The address is
 * numeric; "localhost" is 127.0.0.1. -EINVAL otherwise.
 */
int listen_address_parse(const char *text, Arena *arena, ListenAddress *ret_address);
