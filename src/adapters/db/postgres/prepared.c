/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/connection.h"

#include "adapters/db/postgres/rewrite.h"
#include "adapters/db/postgres/values.h"
#include "base/error.h"

#include <stdio.h>

static size_t slot_of(const Prepared *slots, size_t capacity, const DbStatement *statement) {
    size_t at = ((uintptr_t)statement >> 4) * 0x9E3779B97F4A7C15u >> 32 & (capacity - 1);

    while (slots[at].statement && slots[at].statement != statement) {
        at = (at + 1) & (capacity - 1);
    }
    return at;
}

static void grow(PgConnection *connection) {
    size_t capacity = connection->capacity > 0 ? connection->capacity * 2 : 64;
    Prepared *slots = calloc(capacity, sizeof(*slots));

    if (!slots) {
        abort();
    }
    for (size_t i = 0; i < connection->capacity; i++) {
        const Prepared *old = &connection->prepared[i];
        if (old->statement) {
            slots[slot_of(slots, capacity, old->statement)] = *old;
        }
    }
    free(connection->prepared);
    connection->prepared = slots;
    connection->capacity = capacity;
}

const Prepared *pg_connection_find(const PgConnection *connection, const DbStatement *statement) {
    const Prepared *found;

    if (connection->capacity == 0) {
        return NULL;
    }
    found = &connection->prepared[slot_of(connection->prepared, connection->capacity, statement)];
    return found->statement ? found : NULL;
}

int pg_connection_send_statement(PgConnection *connection, const DbStatement *statement,
                                 bool named) {
    _cleanup_(buf_done) Buf sql = BUF_INIT;
    char name[16] = "";
    unsigned n_params;
    int r = postgres_rewrite(statement->sql, &sql, &n_params);

    if (r < 0 || n_params != statement->n_params) {
        return -EINVAL;
    }
    if (named) {
        snprintf(name, sizeof(name), "s%u", connection->n_names++);
    }
    r = pg_connection_send_prepare(connection, name, buf_cstr(&sql));
    return r < 0 ? r : pg_connection_send_describe(connection, name);
}

int pg_connection_check(const DbStatement *statement, const PGresult *description) {
    if ((unsigned)PQnparams(description) != statement->n_params ||
        (unsigned)PQnfields(description) != statement->n_columns) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < statement->n_params; i++) {
        if (!values_accept(PQparamtype(description, (int)i))) {
            return -EINVAL;
        }
    }
    for (unsigned i = 0; i < statement->n_columns; i++) {
        if (!values_accept(PQftype(description, (int)i))) {
            return -EINVAL;
        }
    }
    return 0;
}

int pg_connection_add(PgConnection *connection, const DbStatement *statement,
                      const PGresult *description, const Prepared **ret_prepared) {
    Prepared prepared = {.statement = statement, .number = connection->n_names - 1};
    Prepared *slot;
    int r = pg_connection_check(statement, description);

    if (r < 0) {
        return r;
    }
    for (unsigned i = 0; i < statement->n_params; i++) {
        prepared.types[i] = PQparamtype(description, (int)i);
    }
    if ((connection->n_prepared + 1) * 2 > connection->capacity) {
        grow(connection);
    }
    slot = &connection->prepared[slot_of(connection->prepared, connection->capacity, statement)];
    *slot = prepared;
    connection->n_prepared++;
    *ret_prepared = slot;
    return 0;
}
