/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table sync_share: links that show photos to whoever has them. A link holds 256 random bits of
 * which only the hash is kept; whose library it opens is in the link too, so that it can be opened
 * while its owner is away. Calls run in a transaction of the caller's.
 */

#include "services/sync/objects.h"

#define SHARE_SECRET_LEN 32
#define SHARE_TOKEN_LEN  86 /* base64url of user, share and secret */
#define SHARES_MAX       1000

typedef struct Share {
    Uuid id;
    uint8_t secret_hash[32]; /* SHA-256 */
    int64_t created_us, expires_us;
    int64_t tries, tried_us; /* wrong passwords one after another */
    json_t *detail; /* "album" or "photos", "name", "allow_download", "password_hash"; owned */
} Share;
void share_done(Share *share);

enum {
    SHARE_E_NONE = 1,
};

extern const DbStatement share_statements[];
extern const size_t share_statements_len;

void share_token_write(const Uuid *user_id, const Uuid *share_id,
                       const uint8_t secret[SHARE_SECRET_LEN], char ret_text[SHARE_TOKEN_LEN + 1]);
/* 0, or -EINVAL: not of that form. */
int share_token_parse(Str text, Uuid *ret_user_id, Uuid *ret_share_id, uint8_t ret_secret_hash[32]);

/* 0, or DB_E_EXISTS: the id is taken. */
int share_add(DbTx *tx, const Library *library, const Share *share);
/* 0, SHARE_E_NONE, or a fault. */
int share_get(DbTx *tx, const Library *library, const Uuid *id, Share *ret_share);
/* How many there are: at most SHARES_MAX are given, in the arena, the newest first, without
 * details. */
int share_list(DbTx *tx, const Library *library, Uuid **ret_ids, size_t *ret_n);
/* What its owner is told of it, a new reference: neither password nor secret. */
json_t *share_json(const Share *share);
/* 0 or SHARE_E_NONE. */
int share_remove(DbTx *tx, const Library *library, const Uuid *id);
/* Notes that a password is tried, or was right (tries 0). */
int share_note_tries(DbTx *tx, const Library *library, const Uuid *id, int64_t tries);
