/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/receipt.h"

#include "base/clock.h"
#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/jwt.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#define ID_BYTES     32
#define SEAL_COLUMN  "user_erasure_receipt.receipt"
#define KEY_COLUMN   "user_receipt_key.public"
#define SEAL_PURPOSE "imagesync/erasure-receipt"
#define END_OF_TIME  253402300799 /* 9999-12-31T23:59:59Z: a receipt is good for ever */

enum {
    RECEIPT_ADD,
    RECEIPT_GET,
    RECEIPT_KEY_ADD,
    RECEIPT_KEY_GET,
    _RECEIPT_STATEMENT_MAX,
};

const DbStatement receipt_statements[_RECEIPT_STATEMENT_MAX] = {
    [RECEIPT_ADD] = {"receipt_add",
                     "INSERT INTO user_erasure_receipt (receipt_hash, receipt_sealed, created_us) "
                     "VALUES (?, ?, ?)",
                     3, 0},
    [RECEIPT_GET] = {"receipt_get",
                     "SELECT receipt_sealed FROM user_erasure_receipt WHERE receipt_hash = ?", 1,
                     1},
    [RECEIPT_KEY_ADD] = {"receipt_key_add",
                         "INSERT INTO user_receipt_key (kid, public_sealed, created_us) "
                         "VALUES (?, ?, ?) ON CONFLICT (kid) DO NOTHING",
                         3, 0},
    [RECEIPT_KEY_GET] = {"receipt_key_get",
                         "SELECT public_sealed FROM user_receipt_key WHERE kid = ?", 1, 1},
};
const size_t receipt_statements_len = _RECEIPT_STATEMENT_MAX;

static int keep_key(DbTx *tx, const Vault *vault, const Jwk *key, int64_t now_us, Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = jwk_write(key);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    Str kid = str_from(jwk_kid(key));
    int r;

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    r = db_exec(tx, &receipt_statements[RECEIPT_KEY_ADD],
                (DbValue[]){DB_TEXT(kid),
                            DB_BLOB(column_seal(vault_service_key(vault), KEY_COLUMN, kid,
                                                str_from(text), arena)),
                            DB_INT(now_us)},
                NULL);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int sign(const Jwk *key, const Receipt *receipt, const char *id, Buf *out) {
    _cleanup_(json_decrefp) json_t *claims = NULL;
    char user[UUID_TEXT_SIZE];

    uuid_text(&receipt->user_id, user);
    claims =
        json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:O}", "iss", receipt->issuer, "sub", user, "jti", id,
                  "iat", (json_int_t)(receipt->erased_us / 1000000), "exp", (json_int_t)END_OF_TIME,
                  "asked", (json_int_t)(receipt->asked_us / 1000000), "rows", receipt->rows);
    return err_trace(jwt_sign(key, RECEIPT_TYP, claims, out));
}

int receipt_add(DbTx *tx, const Vault *vault, const Jwk *key, const Receipt *receipt, Arena *arena,
                char ret_id[RECEIPT_ID_LEN + 1], const char **ret_token, const char **ret_hash) {
    _cleanup_(buf_done) Buf id = BUF_INIT, token = BUF_INIT;
    uint8_t secret[ID_BYTES], hash[DIGEST_LEN];
    Str secret_str = {(const char *)secret, sizeof(secret)}, hash_str = {(char *)hash, DIGEST_LEN};
    char *hex = arena_alloc(arena, DIGEST_HEX_SIZE);
    _cleanup_(user_key_done) UserKey seal;
    Str sealed;
    int r;

    random_bytes(secret, sizeof(secret));
    digest_sha256(secret_str, hash);
    base64url_encode(secret_str, &id);
    vault_key_of_secret(secret_str, SEAL_PURPOSE, &seal);
    secret_wipe(secret, sizeof(secret));
    r = sign(key, receipt, id.data, &token);
    if (r == 0) {
        r = keep_key(tx, vault, key, receipt->erased_us, arena);
    }
    if (r < 0) {
        return err_trace(r);
    }
    sealed = column_seal(&seal, SEAL_COLUMN, hash_str, buf_str(&token), arena);
    r = db_exec(tx, &receipt_statements[RECEIPT_ADD],
                (DbValue[]){DB_BLOB(hash_str), DB_BLOB(sealed), DB_INT(receipt->erased_us)}, NULL);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    memcpy(ret_id, id.data, RECEIPT_ID_LEN + 1);
    hex_encode(hash_str, hex);
    *ret_token = arena_strdup(arena, buf_str(&token));
    *ret_hash = hex;
    return 0;
}

int receipt_get(DbTx *tx, Str id, Arena *arena, const char **ret_token) {
    uint8_t secret[ID_BYTES], hash[DIGEST_LEN];
    Str hash_str = {(const char *)hash, DIGEST_LEN}, text;
    _cleanup_(user_key_done) UserKey seal = {0};
    const DbValue param = DB_BLOB(hash_str);
    const DbValue *row;
    int r;

    if (base64url_decode_fixed(id, secret, sizeof(secret)) < 0) {
        return RECEIPT_E_NONE;
    }
    digest_sha256((Str){(const char *)secret, sizeof(secret)}, hash);
    vault_key_of_secret((Str){(const char *)secret, sizeof(secret)}, SEAL_PURPOSE, &seal);
    secret_wipe(secret, sizeof(secret));
    r = db_query_one(tx, &receipt_statements[RECEIPT_GET], &param, arena, &row);
    if (r != 0) {
        return r == DB_E_NONE ? RECEIPT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = column_open(&seal, SEAL_COLUMN, hash_str, row[0].bytes, arena, &text);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    *ret_token = arena_strdup(arena, text);
    return 0;
}

int receipt_key(DbTx *tx, const Vault *vault, Str kid, Arena *arena, Jwk **ret_jwk) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    const DbValue param = DB_TEXT(kid);
    const DbValue *row;
    Str text;
    int r = db_query_one(tx, &receipt_statements[RECEIPT_KEY_GET], &param, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? RECEIPT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = column_open(vault_service_key(vault), KEY_COLUMN, kid, row[0].bytes, arena, &text);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    return json && jwk_read(json, ret_jwk) == 0 ? 0 : err_trace(-EBADMSG);
}

int receipt_kid(Str token, Arena *arena, const char **ret_kid) {
    _cleanup_(json_decrefp) json_t *header = NULL;
    const char *kid;
    Str first, json;

    if (token.len > JWT_LEN_MAX || !str_next_token(&token, ".", &first) ||
        base64url_decode(first, arena, &json) < 0) {
        return RECEIPT_E_INVALID;
    }
    header = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    kid = json_string_value(json_object_get(header, "kid"));
    if (!kid) {
        return RECEIPT_E_INVALID;
    }
    *ret_kid = arena_strdup(arena, str_from(kid));
    return 0;
}

typedef struct Verification {
    const Vault *vault;
    Arena *arena;
    const char *kid, *id, *kept;
    Jwk *key;
} Verification;

static int read_key(DbTx *tx, void *userdata) {
    Verification *work = userdata;

    work->key = jwk_unref(work->key);
    return receipt_key(tx, work->vault, str_from(work->kid), work->arena, &work->key);
}

static int read_kept(DbTx *tx, void *userdata) {
    Verification *work = userdata;

    return receipt_get(tx, str_from(work->id), work->arena, &work->kept);
}

static int check(Str token, Jwk *key, json_t **ret_claims) {
    const JwtExpect expect = {.typ = RECEIPT_TYP, .now_s = clock_unix_s(), .leeway_s = 60};
    _cleanup_(jwks_freep) Jwks *set = jwks_new();
    int r = jwks_add(set, key);

    if (r == 0) {
        r = jwt_verify(token, set, &expect, ret_claims);
    }
    return r < 0 ? err_trace(r) : r > 0 ? RECEIPT_E_INVALID : 0;
}

int receipt_verify(Db *db, const Vault *vault, Str token, json_t **ret_claims, bool *ret_kept) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Verification work = {.vault = vault, .arena = arena};
    _cleanup_(json_decrefp) json_t *claims = NULL;
    int r = receipt_kid(token, arena, &work.kid);

    if (r == 0) {
        r = db_read(db, NULL, read_key, &work);
    }
    if (r == 0) {
        r = check(token, work.key, &claims);
    }
    jwk_unref(work.key);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    work.id = json_string_value(json_object_get(claims, "jti"));
    r = work.id ? db_read(db, NULL, read_kept, &work) : RECEIPT_E_NONE;
    if (r < 0) {
        return err_trace(r);
    }
    *ret_kept = r == 0 && str_equal(str_from(work.kept), token);
    *ret_claims = json_incref(claims);
    return 0;
}
