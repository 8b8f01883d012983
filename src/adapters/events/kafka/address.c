/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/events/kafka/address.h"

#include <errno.h>

/* A topic's name has at most 249 characters, and ours follows the prefix. */
#define PREFIX_LEN_MAX  150
#define SERVERS_LEN_MAX 2000

static bool is_server(Str server) {
    const char *colon = server.len > 0 ? memrchr(server.ptr, ':', server.len) : NULL;
    uint64_t port = 0;
    Str host;

    if (!colon) {
        return false;
    }
    host = (Str){server.ptr, (size_t)(colon - server.ptr)};
    if (host.len == 0 || str_to_u64((Str){colon + 1, server.len - host.len - 1}, &port) < 0 ||
        port < 1 || port > 65535) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:",
                    host.ptr[i]) ||
            host.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

int kafka_address_parse(const char *url, Arena *arena, const char **ret_servers,
                        const char **ret_prefix, const char **reterr_text) {
    static const char scheme[] = "kafka://";
    const char *servers = url + sizeof(scheme) - 1, *slash;
    Str rest, server;
    size_t len;

    *reterr_text = "give kafka://HOST:PORT[,HOST:PORT]/PREFIX";
    if (!str_starts_with(str_from(url), str_lit(scheme)) || !(slash = strchr(servers, '/')) ||
        slash - servers > SERVERS_LEN_MAX) {
        return -EINVAL;
    }
    rest = (Str){servers, (size_t)(slash - servers)};
    if (rest.len == 0) {
        return -EINVAL;
    }
    while (str_next_token(&rest, ",", &server)) {
        if (!is_server(server)) {
            *reterr_text = "each server of Kafka is HOST:PORT, with commas between them";
            return -EINVAL;
        }
    }
    len = strspn(slash + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (len < 1 || len > PREFIX_LEN_MAX || slash[1 + len] != '\0') {
        *reterr_text = "what the topics' names begin with is at most 150 of [A-Za-z0-9._-]: "
                       "kafka://HOST:PORT/PREFIX";
        return -EINVAL;
    }
    *ret_servers = arena_strdup(arena, (Str){servers, (size_t)(slash - servers)});
    *ret_prefix = arena_strdup(arena, str_from(slash + 1));
    return 0;
}
