/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Parameters and results in PostgreSQL's binary format (big-endian). */

#include "core/ports/db.h"

#include <libpq-fe.h>

/* What PQsendQueryPrepared() takes; points into itself and into the values it was made of. */
typedef struct Params {
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX];
    int formats[DB_PARAMS_MAX];
    char integers[DB_PARAMS_MAX][8];
} Params;

/*
 * `types` are those that the server inferred. -EINVAL when a value is not of its type, does not
 * fit, or is text with a NUL.
 */
int params_encode(const Oid *types, unsigned n, const DbValue *values, Params *ret_params);

/* Whether values of this type can be sent, or received. */
bool values_accept(Oid type);

/* All rows, copied into the arena. -E2BIG for more than `rows_max`; -EBADMSG. */
int values_decode(const PGresult *result, size_t rows_max, Arena *arena, DbRows *ret_rows);
