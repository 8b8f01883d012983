/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table user_avatar: a picture a user, sealed under the user's key. Calls run in a transaction
 * of the caller's. */

#include "services/user/vault.h"

#define AVATAR_LEN_MAX ((size_t)1 << 20)

typedef struct Avatar {
    Str image; /* WebP, in the arena */
    int64_t version;
} Avatar;

enum {
    AVATAR_E_NONE = 1,
};

/* The statements, for db_check(). */
extern const DbStatement avatar_statements[];
extern const size_t avatar_statements_len;

/* 0, AVATAR_E_NONE, or a fault (-EBADMSG: does not open). */
int avatar_store_get(DbTx *tx, const UserKey *key, Arena *arena, Avatar *ret_avatar);
/* `image` has at most AVATAR_LEN_MAX bytes; instead of the one there was. */
int avatar_store_put(DbTx *tx, const UserKey *key, Str image, int64_t now_us, Arena *arena);
/* 0, also when there is none. */
int avatar_store_remove(DbTx *tx, const Uuid *user_id, int64_t now_us);
