/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What other services ask of this one (core/contracts/access.h), answered in the same process.
 */

#include "services/user/internal.h"

/* Fills service->access; the database's statements were checked. */
int user_access_start(UserService *service);
void user_access_done(UserService *service);

/* Of the contract (access_caller.c). */
int user_access_find_caller(Access *self, Str credential, AccessCaller *ret_caller);
int user_access_library_key(Access *self, const Uuid *user_id, UserKey *ret_key);

/* After the transaction that removed keys, or locked their user: they are looked up anew. */
void user_access_forget(UserService *service, const Uuid *user_id, const Uuid *key_ids, size_t n);
