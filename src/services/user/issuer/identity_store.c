/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/issuer/identity_store.h"

#include "base/error.h"
#include "base/json.h"

enum {
    IDENTITY_OWNER,
    IDENTITY_CLAIM,
    IDENTITY_ADD,
    IDENTITY_LIST,
    IDENTITY_USED,
    IDENTITY_RELEASE,
    IDENTITY_REMOVE,
    _IDENTITY_STATEMENT_MAX,
};

const DbStatement identity_statements[_IDENTITY_STATEMENT_MAX] = {
    [IDENTITY_OWNER] = {"identity_owner",
                        "SELECT user_id FROM user_identity_owner WHERE identity_hash = ?", 1, 1},
    [IDENTITY_CLAIM] = {"identity_claim",
                        "INSERT INTO user_identity_owner (identity_hash, user_id) VALUES (?, ?) "
                        "ON CONFLICT (identity_hash) DO NOTHING",
                        2, 0},
    [IDENTITY_ADD] = {"identity_add",
                      "INSERT INTO user_identity (user_id, identity_id, identity_hash, "
                      "detail_sealed, created_us, used_us) VALUES (?, ?, ?, ?, ?, ?)",
                      6, 0},
    [IDENTITY_LIST] = {"identity_list",
                       "SELECT identity_id, detail_sealed, created_us, used_us FROM user_identity "
                       "WHERE user_id = ? ORDER BY identity_id LIMIT ?",
                       2, 4},
    [IDENTITY_USED] = {"identity_used",
                       "UPDATE user_identity SET used_us = ? "
                       "WHERE user_id = ? AND identity_hash = ?",
                       3, 0},
    [IDENTITY_RELEASE] = {"identity_release",
                          "DELETE FROM user_identity_owner WHERE user_id = ? AND identity_hash IN "
                          "(SELECT identity_hash FROM user_identity "
                          "WHERE user_id = ? AND identity_id = ?)",
                          3, 0},
    [IDENTITY_REMOVE] = {"identity_remove",
                         "DELETE FROM user_identity WHERE user_id = ? AND identity_id = ?", 2, 0},
};
const size_t identity_statements_len = _IDENTITY_STATEMENT_MAX;

typedef struct Detail {
    const char *issuer, *subject, *email;
} Detail;

static const JsonField detail_fields[] = {
    {"issuer", JSON_FIELD_STR, offsetof(Detail, issuer), true, .max = 1000},
    {"subject", JSON_FIELD_STR, offsetof(Detail, subject), true, .max = 255},
    {"email", JSON_FIELD_STR, offsetof(Detail, email), true, .max = 300},
    {0},
};

static Str hash_str(const uint8_t hash[VAULT_HASH_LEN]) {
    return (Str){(const char *)hash, VAULT_HASH_LEN};
}

/* No statement here has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &identity_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int identity_store_owner(DbTx *tx, const Vault *vault, const char *issuer, const char *subject,
                         Arena *arena, Uuid *ret_user_id) {
    uint8_t hash[VAULT_HASH_LEN];
    const DbValue *row;
    int r;

    vault_hash_identity(vault, str_from(issuer), str_from(subject), hash);
    r = db_query_one(tx, &identity_statements[IDENTITY_OWNER], (DbValue[]){DB_BLOB(hash_str(hash))},
                     arena, &row);
    if (r != 0) {
        return r == DB_E_NONE ? IDENTITY_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    return uuid_from_str(row[0].bytes, ret_user_id) < 0 ? err_trace(-EBADMSG) : 0;
}

static Str seal(const UserKey *key, const Identity *identity, Arena *arena) {
    const Detail detail = {identity->issuer, identity->subject, identity->email};
    _cleanup_(json_decrefp) json_t *json = json_write(detail_fields, &detail);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);

    if (!text) {
        abort(); /* nothing but exhausted memory: the strings were read as UTF-8 */
    }
    return column_seal(key, "user_identity.detail", uuid_str(&identity->identity_id),
                       str_from(text), arena);
}

int identity_store_add(DbTx *tx, const Vault *vault, const UserKey *key, Arena *arena,
                       Identity *identity) {
    DbValue user_id = DB_BLOB(uuid_str(&key->user_id));
    uint8_t hash[VAULT_HASH_LEN];
    Identity *others;
    uint64_t changed;
    size_t n;
    int r = identity_store_list(tx, key, arena, &others, &n);

    if (r == 0 && n >= IDENTITIES_MAX) {
        return IDENTITY_E_FULL;
    }
    vault_hash_identity(vault, str_from(identity->issuer), str_from(identity->subject), hash);
    if (r == 0) {
        r = run(tx, IDENTITY_CLAIM, (DbValue[]){DB_BLOB(hash_str(hash)), user_id}, &changed);
    }
    if (r < 0) {
        return err_trace(r);
    }
    if (changed == 0) {
        return IDENTITY_E_EXISTS;
    }
    identity->user_id = key->user_id;
    identity->identity_id = uuid_new();
    r = run(tx, IDENTITY_ADD,
            (DbValue[]){user_id, DB_BLOB(uuid_str(&identity->identity_id)), DB_BLOB(hash_str(hash)),
                        DB_BLOB(seal(key, identity, arena)), DB_INT(identity->created_us),
                        DB_INT(identity->used_us)},
            NULL);
    return r < 0 ? err_trace(r) : 0;
}

static int open_row(const UserKey *key, const DbValue *row, Arena *arena, Identity *identity) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Detail detail = {0};
    const char *where;
    Str text;
    int r;

    if (uuid_from_str(row[0].bytes, &identity->identity_id) < 0) {
        return err_trace(-EBADMSG);
    }
    r = column_open(key, "user_identity.detail", uuid_str(&identity->identity_id), row[1].bytes,
                    arena, &text);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, detail_fields, arena, &detail, &where) < 0) {
        return err_trace(-EBADMSG);
    }
    identity->user_id = key->user_id;
    identity->issuer = detail.issuer;
    identity->subject = detail.subject;
    identity->email = detail.email;
    identity->created_us = row[2].integer;
    identity->used_us = row[3].integer;
    return 0;
}

int identity_store_list(DbTx *tx, const UserKey *key, Arena *arena, Identity **ret_identities,
                        size_t *ret_n) {
    Identity *identities;
    DbRows rows;
    int r = db_query(tx, &identity_statements[IDENTITY_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_INT(IDENTITIES_MAX)},
                     IDENTITIES_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    identities = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*identities));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = open_row(key, db_rows_at(&rows, i, 0), arena, &identities[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_identities = identities;
    *ret_n = rows.n_rows;
    return 0;
}

int identity_store_used(DbTx *tx, const Vault *vault, const Uuid *user_id, const char *issuer,
                        const char *subject, int64_t now_us) {
    uint8_t hash[VAULT_HASH_LEN];

    vault_hash_identity(vault, str_from(issuer), str_from(subject), hash);
    return run(tx, IDENTITY_USED,
               (DbValue[]){DB_INT(now_us), DB_BLOB(uuid_str(user_id)), DB_BLOB(hash_str(hash))},
               NULL);
}

int identity_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *identity_id) {
    DbValue user = DB_BLOB(uuid_str(user_id)), id = DB_BLOB(uuid_str(identity_id));
    uint64_t changed = 0;
    int r = run(tx, IDENTITY_RELEASE, (DbValue[]){user, user, id}, NULL);

    if (r == 0) {
        r = run(tx, IDENTITY_REMOVE, (DbValue[]){user, id}, &changed);
    }
    if (r < 0) {
        return err_trace(r);
    }
    return changed == 1 ? 0 : IDENTITY_E_NONE;
}
