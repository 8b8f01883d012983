/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Up to a number of connections to one address, made when they are needed. Thread-safe. */

#include "adapters/db/postgres/connection.h"

typedef struct Pool Pool;

/* Takes over `conninfo`. */
Pool *pool_new(Conninfo *conninfo, unsigned size);
Pool *pool_free(Pool *pool); /* all connections must have been given back */
DEFINE_CLEANUP(Pool *, pool_free)

/*
 * Waits up to `wait_ms` for one to be free, and longer for a new one to be made. -EBUSY: none was
 * free in time; -ENOTCONN.
 */
int pool_take(Pool *pool, unsigned wait_ms, Connection **ret_connection);
/* A broken one is closed, and so are the idle ones: what broke it may well have hit them too. */
void pool_give(Pool *pool, Connection *connection);

uint64_t pool_n_connects(Pool *pool);
