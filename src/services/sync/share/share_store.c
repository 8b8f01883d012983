/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/share/share_store.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/secret.h"
#include "base/error.h"

enum {
    SHARE_ADD,
    SHARE_GET,
    SHARE_LIST,
    SHARE_REMOVE,
    SHARE_TRIES,
    _SHARE_STATEMENT_MAX,
};

#define MINE " WHERE user_id = ? AND share_id = ?"

const DbStatement share_statements[_SHARE_STATEMENT_MAX] = {
    [SHARE_ADD] = {"share_add",
                   "INSERT INTO sync_share (user_id, share_id, secret_hash, created_us, expires_us,"
                   " tries, tried_us, detail_sealed) VALUES (?, ?, ?, ?, ?, 0, 0, ?)",
                   6, 0},
    [SHARE_GET] = {"share_get",
                   "SELECT secret_hash, created_us, expires_us, tries, tried_us, detail_sealed"
                   " FROM sync_share" MINE,
                   2, 6},
    [SHARE_LIST] = {"share_list",
                    "SELECT share_id FROM sync_share WHERE user_id = ?"
                    " ORDER BY share_id DESC LIMIT ?",
                    2, 1},
    [SHARE_REMOVE] = {"share_remove", "DELETE FROM sync_share" MINE, 2, 0},
    [SHARE_TRIES] = {"share_tries", "UPDATE sync_share SET tries = ?, tried_us = ?" MINE, 4, 0},
};
const size_t share_statements_len = _SHARE_STATEMENT_MAX;

static const char detail_column[] = "sync_share.detail";

typedef struct TokenBytes {
    Uuid share_id, user_id;
    uint8_t secret[SHARE_SECRET_LEN];
} TokenBytes;
_Static_assert(sizeof(TokenBytes) == 64, "no padding: it is what the token encodes");

void share_done(Share *share) {
    json_decref(share->detail);
    share->detail = NULL;
}

void share_token_write(const Uuid *user_id, const Uuid *share_id,
                       const uint8_t secret[SHARE_SECRET_LEN], char ret_text[SHARE_TOKEN_LEN + 1]) {
    TokenBytes bytes = {.share_id = *share_id, .user_id = *user_id};
    _cleanup_(buf_done) Buf text = BUF_INIT;

    memcpy(bytes.secret, secret, sizeof(bytes.secret));
    buf_reserve(&text, SHARE_TOKEN_LEN + 1);
    base64url_encode((Str){(const char *)&bytes, sizeof(bytes)}, &text);
    memcpy(ret_text, text.data, SHARE_TOKEN_LEN + 1);
    secret_wipe(&bytes, sizeof(bytes));
    secret_wipe(text.data, text.len);
}

int share_token_parse(Str text, Uuid *ret_user_id, Uuid *ret_share_id,
                      uint8_t ret_secret_hash[32]) {
    TokenBytes bytes;

    if (text.len != SHARE_TOKEN_LEN ||
        base64url_decode_fixed(text, (uint8_t *)&bytes, sizeof(bytes)) < 0) {
        return -EINVAL;
    }
    *ret_user_id = bytes.user_id;
    *ret_share_id = bytes.share_id;
    digest_sha256((Str){(const char *)bytes.secret, sizeof(bytes.secret)}, ret_secret_hash);
    secret_wipe(&bytes, sizeof(bytes));
    return 0;
}

int share_add(DbTx *tx, const Library *library, const Share *share) {
    _cleanup_(freep) char *detail = json_dumps(share->detail, JSON_COMPACT);
    Str hash = {(const char *)share->secret_hash, sizeof(share->secret_hash)};
    Str sealed = column_seal(library->key, detail_column, uuid_str(&share->id), str_from(detail),
                             library->arena);
    int r =
        db_exec(tx, &share_statements[SHARE_ADD],
                (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)),
                            DB_BLOB(uuid_str(&share->id)), DB_BLOB(hash), DB_INT(share->created_us),
                            DB_INT(share->expires_us), DB_BLOB(sealed)},
                NULL);

    return r == DB_E_EXISTS ? r : r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int share_get(DbTx *tx, const Library *library, const Uuid *id, Share *ret_share) {
    const DbValue *row;
    Share share = {.id = *id};
    Str detail;
    int r =
        db_query_one(tx, &share_statements[SHARE_GET],
                     (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)), DB_BLOB(uuid_str(id))},
                     library->arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? SHARE_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = column_open(library->key, detail_column, uuid_str(id), row[5].bytes, library->arena,
                    &detail);
    if (r != 0 || row[0].bytes.len != sizeof(share.secret_hash)) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    memcpy(share.secret_hash, row[0].bytes.ptr, sizeof(share.secret_hash));
    share.created_us = row[1].integer;
    share.expires_us = row[2].integer;
    share.tries = row[3].integer;
    share.tried_us = row[4].integer;
    share.detail = json_loadb(detail.ptr, detail.len, 0, NULL);
    if (!share.detail) {
        return err_trace(-EBADMSG);
    }
    *ret_share = share;
    return 0;
}

int share_list(DbTx *tx, const Library *library, Uuid **ret_ids, size_t *ret_n) {
    return db_query_ids(tx, &share_statements[SHARE_LIST],
                        (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)), DB_INT(SHARES_MAX)},
                        SHARES_MAX, library->arena, ret_ids, ret_n);
}

int share_remove(DbTx *tx, const Library *library, const Uuid *id) {
    uint64_t changed = 0;
    int r = db_exec(tx, &share_statements[SHARE_REMOVE],
                    (DbValue[]){DB_BLOB(uuid_str(&library->key->user_id)), DB_BLOB(uuid_str(id))},
                    &changed);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return changed > 0 ? 0 : SHARE_E_NONE;
}

int share_note_tries(DbTx *tx, const Library *library, const Uuid *id, int64_t tries) {
    int r = db_exec(tx, &share_statements[SHARE_TRIES],
                    (DbValue[]){DB_INT(tries), DB_INT(library->now_us),
                                DB_BLOB(uuid_str(&library->key->user_id)), DB_BLOB(uuid_str(id))},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
