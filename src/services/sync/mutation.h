/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table sync_mutation: what was answered to requests that name themselves. */

#include "services/sync/call.h"

enum {
    MUTATION_E_NONE = 1,
    MUTATION_E_REUSED, /* it was of another request */
};

/* The statements, for db_check(). */
extern const DbStatement mutation_statements[];
extern const size_t mutation_statements_len;

/*
 * Whether the request has an Idempotency-Key: 0 with the id and the hash of the request (method,
 * path, query, If-Match, body), or MUTATION_E_NONE; -EINVAL: it is no UUIDv7.
 */
typedef struct Mutation {
    Uuid id;
    uint8_t request_hash[LIBRARY_HASH_LEN];
} Mutation;
int mutation_of(SyncCall *call, Mutation *ret_mutation);

/* Fills the call's answer with that of the first time. 0, or a condition. */
int mutation_recall(DbTx *tx, SyncCall *call, const Mutation *mutation);
int mutation_keep(DbTx *tx, SyncCall *call, const Mutation *mutation);
