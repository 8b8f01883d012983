/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where Redis is: redis://[[user]:password@]host[:port][/database], or rediss:// with TLS. */

#include "base/arena.h"

#define REDIS_DATABASE_MAX 100000

typedef struct RedisUrl {
    const char *host; /* a name or an address; of IPv6 without brackets */
    const char *port;
    const char *user; /* "": the default user */
    Str password;     /* empty: Redis asks for none */
    unsigned database;
    bool tls;
} RedisUrl;

/*
 * As the schemes "redis" and "rediss" are registered with IANA; user and password are
 * percent-decoded. Port 6379 and database 0 unless given. Strings live in the arena. 0, or -EINVAL
 * with a static sentence, which never repeats the URL, as that may hold a password.
 */
int redis_url_parse(const char *text, Arena *arena, RedisUrl *ret_url, const char **reterr_text);
