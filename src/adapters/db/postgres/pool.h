/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Up to a number of connections to one address, made when they are needed. Thread-safe. */

#include "adapters/db/postgres/connection.h"

typedef struct PgPool PgPool;

/* Takes over `conninfo`; `server` is what it is called when something is told of it. */
PgPool *pg_pool_new(Conninfo *conninfo, unsigned size, const char *server, TroubleFn *tell);
PgPool *pg_pool_free(PgPool *pool); /* all connections must have been given back */
DEFINE_CLEANUP(PgPool *, pg_pool_free)

/*
 * Waits up to `wait_ms` for one to be free, and longer for a new one to be made. -EBUSY: none was
 * free in time; -ENOTCONN.
 */
int pg_pool_take(PgPool *pool, unsigned wait_ms, PgConnection **ret_connection);
/* A broken one is closed, and so are the idle ones: what broke it may well have hit them too. */
void pg_pool_give(PgPool *pool, PgConnection *connection);

uint64_t pg_pool_n_connects(PgPool *pool);
