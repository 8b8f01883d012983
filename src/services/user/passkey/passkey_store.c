/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/passkey_store.h"

#include "base/crypto/base64url.h"
#include "base/error.h"
#include "base/json.h"

enum {
    PASSKEY_ADD,
    PASSKEY_GET,
    PASSKEY_LIST,
    PASSKEY_COUNT,
    PASSKEY_RENAME,
    PASSKEY_REMOVE,
    PASSKEY_USED,
    PASSKEY_SPEND,
    PASSKEY_EXPIRE,
    _PASSKEY_STATEMENT_MAX,
};

const DbStatement passkey_statements[_PASSKEY_STATEMENT_MAX] = {
    [PASSKEY_ADD] = {"passkey_add",
                     "INSERT INTO user_passkey (user_id, passkey_id, detail_sealed, sign_count, "
                     "created_us) VALUES (?, ?, ?, ?, ?) "
                     "ON CONFLICT (user_id, passkey_id) DO NOTHING",
                     5, 0},
    [PASSKEY_GET] = {"passkey_get",
                     "SELECT passkey_id, detail_sealed, sign_count, created_us, used_us "
                     "FROM user_passkey WHERE user_id = ? AND passkey_id = ?",
                     2, 5},
    [PASSKEY_LIST] = {"passkey_list",
                      "SELECT passkey_id, detail_sealed, sign_count, created_us, used_us "
                      "FROM user_passkey WHERE user_id = ? ORDER BY created_us, passkey_id",
                      1, 5},
    [PASSKEY_COUNT] = {"passkey_count", "SELECT count(*) FROM user_passkey WHERE user_id = ?", 1,
                       1},
    [PASSKEY_RENAME] = {"passkey_rename",
                        "UPDATE user_passkey SET detail_sealed = ? "
                        "WHERE user_id = ? AND passkey_id = ?",
                        3, 0},
    [PASSKEY_REMOVE] = {"passkey_remove",
                        "DELETE FROM user_passkey WHERE user_id = ? AND passkey_id = ?", 2, 0},
    [PASSKEY_USED] = {"passkey_used",
                      "UPDATE user_passkey SET sign_count = ?, used_us = ? "
                      "WHERE user_id = ? AND passkey_id = ?",
                      4, 0},
    [PASSKEY_SPEND] = {"passkey_spend",
                       "INSERT INTO user_passkey_challenge (user_id, challenge_hash, expires_us) "
                       "VALUES (?, ?, ?) ON CONFLICT (user_id, challenge_hash) DO NOTHING",
                       3, 0},
    [PASSKEY_EXPIRE] = {"passkey_expire",
                        "DELETE FROM user_passkey_challenge WHERE user_id = ? AND expires_us <= ?",
                        2, 0},
};
const size_t passkey_statements_len = _PASSKEY_STATEMENT_MAX;

#define COLUMN "user_passkey.detail"

/* Bytes as base64url. */
typedef struct Detail {
    const char *name, *credential_id, *public_key;
    int32_t alg;
} Detail;

static const JsonField detail_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(Detail, name), true},
    {"credential_id", JSON_FIELD_STR, offsetof(Detail, credential_id), true},
    {"public_key", JSON_FIELD_STR, offsetof(Detail, public_key), true},
    {"alg", JSON_FIELD_I32, offsetof(Detail, alg), true},
    {0},
};

typedef struct PasskeyId {
    uint8_t bytes[DIGEST_LEN];
} PasskeyId;

static PasskeyId id_of(Str credential_id) {
    PasskeyId id;

    digest_sha256(credential_id, id.bytes);
    return id;
}

static Str id_str(const PasskeyId *id) {
    return (Str){(const char *)id->bytes, sizeof(id->bytes)};
}

/* No statement here has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &passkey_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static Str seal(const UserKey *key, const Passkey *passkey, const PasskeyId *id, Arena *arena) {
    _cleanup_(buf_done) Buf credential_id = BUF_INIT, public_key = BUF_INIT;
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(freep) char *text = NULL;
    Detail detail = {.name = passkey->name, .alg = passkey->credential.alg};

    base64url_encode(passkey->credential.id, &credential_id);
    base64url_encode(passkey->credential.public_key, &public_key);
    detail.credential_id = buf_cstr(&credential_id);
    detail.public_key = buf_cstr(&public_key);
    json = json_write(detail_fields, &detail);
    text = json_dumps(json, JSON_COMPACT);
    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    return column_seal(key, COLUMN, id_str(id), str_from(text), arena);
}

static int open_row(const UserKey *key, const DbValue *row, Arena *arena, Passkey *ret_passkey) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Passkey passkey = {.created_us = row[3].integer,
                       .used_us = row[4].type == DB_TYPE_NULL ? 0 : row[4].integer,
                       .credential.sign_count = (uint32_t)row[2].integer};
    const char *where;
    Detail detail;
    Str text;
    int r = column_open(key, COLUMN, row[0].bytes, row[1].bytes, arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, detail_fields, arena, &detail, &where) < 0 ||
        base64url_decode(str_from(detail.credential_id), arena, &passkey.credential.id) < 0 ||
        base64url_decode(str_from(detail.public_key), arena, &passkey.credential.public_key) < 0) {
        return err_trace(-EBADMSG);
    }
    passkey.name = detail.name;
    passkey.credential.alg = detail.alg;
    *ret_passkey = passkey;
    return 0;
}

int passkey_store_count(DbTx *tx, const Uuid *user_id, Arena *arena, size_t *ret_n) {
    const DbValue params[] = {DB_BLOB(uuid_str(user_id))};
    const DbValue *row;
    int r = db_query_one(tx, &passkey_statements[PASSKEY_COUNT], params, arena, &row);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_n = (size_t)row[0].integer;
    return 0;
}

int passkey_store_add(DbTx *tx, const UserKey *key, Arena *arena, const Passkey *passkey) {
    PasskeyId id = id_of(passkey->credential.id);
    uint64_t changed;
    size_t n;
    int r = passkey_store_count(tx, &key->user_id, arena, &n);

    if (r < 0) {
        return err_trace(r);
    }
    if (n >= PASSKEYS_MAX) {
        return PASSKEY_E_FULL;
    }
    r = run(tx, PASSKEY_ADD,
            (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(id_str(&id)),
                        DB_BLOB(seal(key, passkey, &id, arena)),
                        DB_INT(passkey->credential.sign_count), DB_INT(passkey->created_us)},
            &changed);
    if (r < 0) {
        return err_trace(r);
    }
    return changed == 1 ? 0 : PASSKEY_E_EXISTS;
}

int passkey_store_get(DbTx *tx, const UserKey *key, Str credential_id, Arena *arena,
                      Passkey *ret_passkey) {
    PasskeyId id = id_of(credential_id);
    const DbValue params[] = {DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(id_str(&id))};
    const DbValue *row;
    int r = db_query_one(tx, &passkey_statements[PASSKEY_GET], params, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? PASSKEY_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = open_row(key, row, arena, ret_passkey);
    return r < 0 ? err_trace(r) : 0;
}

int passkey_store_list(DbTx *tx, const UserKey *key, Arena *arena, Passkey **ret_passkeys,
                       size_t *ret_n) {
    const DbValue params[] = {DB_BLOB(uuid_str(&key->user_id))};
    Passkey *passkeys;
    DbRows rows;
    int r = db_query(tx, &passkey_statements[PASSKEY_LIST], params, PASSKEYS_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    passkeys = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*passkeys));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = open_row(key, db_rows_at(&rows, i, 0), arena, &passkeys[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_passkeys = passkeys;
    *ret_n = rows.n_rows;
    return 0;
}

int passkey_store_rename(DbTx *tx, const UserKey *key, Arena *arena, const Passkey *passkey) {
    PasskeyId id = id_of(passkey->credential.id);
    int r = run(tx, PASSKEY_RENAME,
                (DbValue[]){DB_BLOB(seal(key, passkey, &id, arena)),
                            DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(id_str(&id))},
                NULL);

    return r < 0 ? err_trace(r) : 0;
}

int passkey_store_remove(DbTx *tx, const Uuid *user_id, Str credential_id) {
    PasskeyId id = id_of(credential_id);
    uint64_t changed;
    int r = run(tx, PASSKEY_REMOVE, (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(id_str(&id))},
                &changed);

    if (r < 0) {
        return err_trace(r);
    }
    return changed > 0 ? 0 : PASSKEY_E_NONE;
}

int passkey_store_used(DbTx *tx, const Uuid *user_id, Str credential_id, uint32_t sign_count,
                       int64_t now_us) {
    PasskeyId id = id_of(credential_id);

    return run(tx, PASSKEY_USED,
               (DbValue[]){DB_INT(sign_count), DB_INT(now_us), DB_BLOB(uuid_str(user_id)),
                           DB_BLOB(id_str(&id))},
               NULL);
}

int passkey_store_spend(DbTx *tx, const Uuid *user_id, const Challenge *challenge, int64_t now_us) {
    DbValue user = DB_BLOB(uuid_str(user_id));
    Str hash = {(const char *)challenge->hash, sizeof(challenge->hash)};
    uint64_t changed;
    int r = run(tx, PASSKEY_EXPIRE, (DbValue[]){user, DB_INT(now_us)}, NULL);

    if (r == 0) {
        r = run(tx, PASSKEY_SPEND, (DbValue[]){user, DB_BLOB(hash), DB_INT(challenge->expires_us)},
                &changed);
    }
    if (r < 0) {
        return err_trace(r);
    }
    return changed == 1 ? 0 : PASSKEY_E_SPENT;
}
