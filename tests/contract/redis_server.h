/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A throw-away redis-server of this test, on 127.0.0.1, that keeps nothing. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct RedisServer {
    pid_t pid;
    uint16_t port;
} RedisServer;

/*
 * Starts one and waits until it answers. `port` 0: any free one. `extra` are further arguments,
 * ending with NULL, or NULL. 0; -ENOENT: redis-server is not installed; or another fault. It ends
 * with this process at the latest.
 */
int redis_server_start(RedisServer *ret_server, uint16_t port, const char *const *extra);
/* SIGKILL, as a crash would; waits for its end. Again is harmless. */
void redis_server_stop(RedisServer *server);

/*
 * Sends a line ("INFO clients") on a connection of its own and gives the beginning of the answer,
 * as the protocol has it, in `ret_answer`, which is terminated. 0 or a fault.
 */
int redis_server_ask(uint16_t port, const char *line, char *ret_answer, size_t size);

/* Says why there is no server and gives the status a test ends with: 77 (skipped) or 1. */
int redis_server_explain(int r);

/* A port of 127.0.0.1 that is free now. */
uint16_t redis_server_free_port(void);
