/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table sync_blob: which blobs of the store are this service's, and the keys that they are
 * sealed under (core/blobs/sealed_blob.h). A blob's name is a keyed hash of its id, so that who
 * reads the store learns neither whose it is nor which belong together. Calls run in a transaction
 * of the caller's.
 */

#include "core/blobs/sealed_blob.h"
#include "core/ports/db.h"
#include "services/sync/keys.h"

#define BLOB_STORE_NAME_SIZE 80

/* How to read a blob, or to write it. Wiped by stored_blob_done(). */
typedef struct StoredBlob {
    Uuid id;
    uint64_t size; /* of the plain bytes */
    uint8_t key[AEAD_KEY_LEN];
    char name[BLOB_STORE_NAME_SIZE];
} StoredBlob;
void stored_blob_done(StoredBlob *blob);

enum {
    BLOB_STORE_E_NONE = 1,
};

/* The statements, for db_check(). */
extern const DbStatement blob_store_statements[];
extern const size_t blob_store_statements_len;

/* A new one, with a random key: not in the table yet, size 0. */
void stored_blob_new(const UserKey *key, StoredBlob *ret_blob);
/* The same of an id and key that the caller kept. */
void stored_blob_of(const UserKey *key, const Uuid *id, const uint8_t blob_key[AEAD_KEY_LEN],
                    StoredBlob *ret_blob);

int blob_store_add(DbTx *tx, const UserKey *key, const StoredBlob *blob, int64_t now_us,
                   Arena *arena);
/* 0, BLOB_STORE_E_NONE, or a fault (-EBADMSG: does not open). */
int blob_store_get(DbTx *tx, const UserKey *key, const Uuid *id, Arena *arena,
                   StoredBlob *ret_blob);
/* 0 also when there is none. The blob itself is removed after the commit, by its name; what a crash
 * leaves is an orphan. */
int blob_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *id);

/* A user's after that one (nil: the first), in the order of their ids, at most BLOB_STORE_LIST_MAX,
 * in the arena, for the caller to wipe. One whose key does not open has no name. 0 or a fault. */
#define BLOB_STORE_LIST_MAX 200
int blob_store_list(DbTx *tx, const UserKey *key, const Uuid *after, Arena *arena,
                    StoredBlob **ret_blobs, size_t *ret_n);
