/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/mail_token_store.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#define TOKEN_BYTES 32

enum {
    MAIL_TOKEN_ADD,
    MAIL_TOKEN_EXPIRE,
    MAIL_TOKEN_PEEK,
    MAIL_TOKEN_TAKE,
    MAIL_TOKEN_REMOVE_ALL,
    _MAIL_TOKEN_STATEMENT_MAX,
};

const DbStatement mail_token_statements[_MAIL_TOKEN_STATEMENT_MAX] = {
    [MAIL_TOKEN_ADD] = {"mail_token_add",
                        "INSERT INTO user_mail_token (token_hash, kind, user_id, payload_sealed, "
                        "created_us, expires_us) VALUES (?, ?, ?, ?, ?, ?)",
                        6, 0},
    [MAIL_TOKEN_EXPIRE] = {"mail_token_expire",
                           "DELETE FROM user_mail_token WHERE token_hash IN "
                           "(SELECT token_hash FROM user_mail_token WHERE expires_us <= ? "
                           "ORDER BY expires_us LIMIT 100)",
                           1, 0},
    [MAIL_TOKEN_PEEK] = {"mail_token_peek",
                         "SELECT kind FROM user_mail_token "
                         "WHERE token_hash = ? AND kind = ? AND expires_us > ?",
                         3, 1},
    [MAIL_TOKEN_TAKE] = {"mail_token_take",
                         "DELETE FROM user_mail_token "
                         "WHERE token_hash = ? AND kind = ? AND expires_us > ? "
                         "RETURNING user_id, payload_sealed, created_us, expires_us",
                         3, 4},
    [MAIL_TOKEN_REMOVE_ALL] = {"mail_token_remove_all",
                               "DELETE FROM user_mail_token WHERE user_id = ?", 1, 0},
};
const size_t mail_token_statements_len = _MAIL_TOKEN_STATEMENT_MAX;

/* What a payload is sealed with: nothing in the database opens it, only the link does. */
static void payload_key(const uint8_t secret[TOKEN_BYTES], UserKey *ret_key) {
    vault_key_of_secret((Str){(const char *)secret, TOKEN_BYTES}, "imagesync/mail-token", ret_key);
}

int mail_token_store_add(DbTx *tx, Arena *arena, const MailToken *token,
                         char ret_text[MAIL_TOKEN_LEN + 1]) {
    uint8_t secret[TOKEN_BYTES], hash[VAULT_HASH_LEN];
    Str hash_str = {(const char *)hash, sizeof(hash)};
    _cleanup_(user_key_done) UserKey key = {0};
    Buf encoded = BUF_INIT;
    Str sealed;
    int r = db_exec(tx, &mail_token_statements[MAIL_TOKEN_EXPIRE],
                    (DbValue[]){DB_INT(token->created_us)}, NULL);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    random_bytes(secret, sizeof(secret));
    digest_sha256((Str){(const char *)secret, sizeof(secret)}, hash);
    payload_key(secret, &key);
    sealed = column_seal(&key, "user_mail_token.payload", hash_str, str_from(token->email), arena);
    r = db_exec(
        tx, &mail_token_statements[MAIL_TOKEN_ADD],
        (DbValue[]){DB_BLOB(hash_str), DB_INT(token->kind),
                    uuid_is_nil(&token->user_id) ? DB_NULL : DB_BLOB(uuid_str(&token->user_id)),
                    DB_BLOB(sealed), DB_INT(token->created_us), DB_INT(token->expires_us)},
        NULL);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    base64url_encode((Str){(const char *)secret, sizeof(secret)}, &encoded);
    memcpy(ret_text, encoded.data, MAIL_TOKEN_LEN + 1);
    buf_done(&encoded);
    secret_wipe(secret, sizeof(secret));
    return 0;
}

/* False: it is of no token's form. */
static bool read_text(Str text, uint8_t ret_hash[VAULT_HASH_LEN], UserKey *ret_key) {
    uint8_t secret[TOKEN_BYTES];

    if (base64url_decode_fixed(text, secret, sizeof(secret)) < 0) {
        return false;
    }
    digest_sha256((Str){(const char *)secret, sizeof(secret)}, ret_hash);
    payload_key(secret, ret_key);
    secret_wipe(secret, sizeof(secret));
    return true;
}

int mail_token_store_peek(DbTx *tx, MailTokenKind kind, Str text, int64_t now_us, Arena *arena) {
    _cleanup_(user_key_done) UserKey key = {0};
    uint8_t hash[VAULT_HASH_LEN];
    const DbValue *row;
    int r;

    if (!read_text(text, hash, &key)) {
        return MAIL_TOKEN_E_NONE;
    }
    r = db_query_one(tx, &mail_token_statements[MAIL_TOKEN_PEEK],
                     (DbValue[]){DB_BLOB(((Str){(const char *)hash, sizeof(hash)})), DB_INT(kind),
                                 DB_INT(now_us)},
                     arena, &row);
    if (r < 0) {
        return err_trace(r);
    }
    return r == 0 ? 0 : MAIL_TOKEN_E_NONE;
}

int mail_token_store_take(DbTx *tx, MailTokenKind kind, Str text, int64_t now_us, Arena *arena,
                          MailToken *ret_token) {
    _cleanup_(user_key_done) UserKey key = {0};
    uint8_t hash[VAULT_HASH_LEN];
    Str hash_str = {(const char *)hash, sizeof(hash)};
    MailToken token = {.kind = kind};
    const DbValue *row;
    Str email;
    int r;

    if (!read_text(text, hash, &key)) {
        return MAIL_TOKEN_E_NONE;
    }
    r = db_query_one(tx, &mail_token_statements[MAIL_TOKEN_TAKE],
                     (DbValue[]){DB_BLOB(hash_str), DB_INT(kind), DB_INT(now_us)}, arena, &row);
    if (r != 0) {
        return r == DB_E_NONE ? MAIL_TOKEN_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    if (row[0].type != DB_TYPE_NULL && uuid_from_str(row[0].bytes, &token.user_id) < 0) {
        return err_trace(-EBADMSG);
    }
    r = column_open(&key, "user_mail_token.payload", hash_str, row[1].bytes, arena, &email);
    if (r != 0) { /* one of before payloads were sealed so, or tampered with */
        return r < 0 ? err_trace(r) : MAIL_TOKEN_E_NONE;
    }
    token.email = arena_strdup(arena, email);
    token.created_us = row[2].integer;
    token.expires_us = row[3].integer;
    *ret_token = token;
    return 0;
}

int mail_token_store_remove_all(DbTx *tx, const Uuid *user_id) {
    int r = db_exec(tx, &mail_token_statements[MAIL_TOKEN_REMOVE_ALL],
                    (DbValue[]){DB_BLOB(uuid_str(user_id))}, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
