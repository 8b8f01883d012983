/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table user_session: what somebody is signed in with. A session's token is base64url of the
 * user's id, the session's id and a random secret of 32 bytes; the table keeps SHA-256 of the
 * secret, so that nobody who reads it can sign in.
 */

#include "services/user/vault.h"

#define SESSION_SECRET_LEN 32
#define SESSION_TOKEN_LEN  86  /* base64url of 64 bytes */
#define SESSIONS_MAX       100 /* of one user; the one unseen for longest makes room */

/* How somebody proved who they are; bits. */
enum {
    SESSION_METHOD_PASSWORD = 1 << 0,
    SESSION_METHOD_TOTP = 1 << 1,
    SESSION_METHOD_RECOVERY = 1 << 2,
    SESSION_METHOD_PASSKEY = 1 << 3,
    SESSION_METHOD_ISSUER = 1 << 4, /* signed in with another issuer */
};

typedef struct SessionDevice {
    const char *name, *agent, *address;
} SessionDevice;

typedef struct Session {
    Uuid user_id, session_id;
    uint8_t secret_hash[VAULT_HASH_LEN];
    SessionDevice device; /* session_store_list() and _renew() only; else NULLs */
    uint32_t methods;
    int64_t authenticated_us; /* when the proof was last given: some acts ask for a fresh one */
    int64_t created_us, seen_us, expires_us;
} Session;

enum {
    SESSION_E_NONE = 1, /* no such session, or it has ended */
};

extern const DbStatement session_statements[];
extern const size_t session_statements_len;

/* "" is never a token. 0, or -EINVAL: not of a token's form. */
int session_token_parse(Str token, Uuid *ret_user_id, Uuid *ret_session_id,
                        uint8_t ret_secret_hash[VAULT_HASH_LEN]);

/* Fills session_id, secret_hash and *ret_token (NUL-terminated); the rest is the caller's. */
void session_token_new(Session *session, char ret_token[SESSION_TOKEN_LEN + 1]);

/* Another secret for the same session; the token before it is good no more once that is stored. */
void session_token_renew(Session *session, char ret_token[SESSION_TOKEN_LEN + 1]);

int session_store_add(DbTx *tx, const UserKey *key, Arena *arena, const Session *session);
/* 0 or SESSION_E_NONE: not there, expired at `now_us`, or of another secret. */
int session_store_get(DbTx *tx, const Uuid *user_id, const Uuid *session_id,
                      const uint8_t secret_hash[VAULT_HASH_LEN], int64_t now_us, Arena *arena,
                      Session *ret_session);
/* All that have not expired, the last seen first. */
int session_store_list(DbTx *tx, const UserKey *key, int64_t now_us, Arena *arena,
                       Session **ret_sessions, size_t *ret_n);
int session_store_seen(DbTx *tx, const Session *session, int64_t now_us);
/* The proof was given anew. */
int session_store_authenticated(DbTx *tx, const Session *session, uint32_t methods, int64_t now_us);
/* The proof was given anew and there is a new token: session_token_renew() was called. Fills
 * session->device. 0 or SESSION_E_NONE. */
int session_store_renew(DbTx *tx, const UserKey *key, Arena *arena, Session *session);
int session_store_rename(DbTx *tx, const UserKey *key, Arena *arena, const Uuid *session_id,
                         const SessionDevice *device);
/* With what clients were given in it, but for offline access. 0 or SESSION_E_NONE. */
int session_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *session_id);
/* All but `keep` (may be NULL), and all that clients were given. The ids of those that were removed
 * are in the arena. */
int session_store_remove_all(DbTx *tx, const Uuid *user_id, const Uuid *keep, Arena *arena,
                             Uuid **ret_ids, size_t *ret_n);
