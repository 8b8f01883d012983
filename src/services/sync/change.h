/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the handlers that change an object share: whose library it is, and what became of the
 * version that the device believes to be the newest. */

#include "services/sync/call.h"
#include "services/sync/objects.h"

/* The caller's library; lives as long as the call. */
Library library_of_call(SyncCall *call);

/* The numbers of versions start at 1. */
#define CHANGE_ANY_VERSION (-1)

/*
 * The object as it is, for a handler that changes it: *ret_failure is NONE and the object given, or
 * NOT_FOUND; or STALE_VERSION when its version is not `version` (or it was removed since), with
 * "current", the object as it is, and "sent" (borrowed; NULL: left out) among the problem's
 * members. With CHANGE_ANY_VERSION one that was removed is NOT_FOUND. 0 or a fault.
 */
int change_begin(DbTx *tx, SyncCall *call, const char *kind, const Uuid *id, int64_t version,
                 const json_t *sent, Object *ret_object, SyncFailure *ret_failure);

/* Answers with the object: body and ETag, with that status. */
void change_answer(SyncCall *call, const char *kind, const Object *object, unsigned status);

/* The id for a new object: the device's own, in "id" (NULL: a new one of ours). INVALID_FIELD when
 * it is no UUIDv7. */
SyncFailure change_new_id(SyncCall *call, const char *text, Uuid *ret_id);

/* Whether the id is free for a new object: *ret_failure NONE or CONFLICT. 0 or a fault. */
int change_is_new(DbTx *tx, SyncCall *call, const char *kind, const Uuid *id,
                  SyncFailure *ret_failure);

/* If-Match, or CHANGE_ANY_VERSION without one. */
int64_t change_if_match(SyncCall *call);

/* A number in the query, or `fallback` when it is not there; INVALID_FIELD unless it is within
 * min..max. */
SyncFailure change_query_number(SyncCall *call, const char *name, uint64_t min, uint64_t max,
                                uint64_t fallback, uint64_t *ret_value);
