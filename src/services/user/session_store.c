/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/session_store.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/json.h"

enum {
    SESSION_ADD,
    SESSION_GET,
    SESSION_LIST,
    SESSION_SEEN,
    SESSION_AUTHENTICATED,
    SESSION_RENEW,
    SESSION_RENAME,
    SESSION_REMOVE,
    SESSION_REMOVE_ALL,
    SESSION_REMOVE_BEYOND,
    SESSION_REMOVE_GRANTS,
    SESSION_REMOVE_ALL_GRANTS,
    _SESSION_STATEMENT_MAX,
};

const DbStatement session_statements[_SESSION_STATEMENT_MAX] = {
    [SESSION_ADD] = {"session_add",
                     "INSERT INTO user_session (user_id, session_id, secret_hash, device_sealed, "
                     "methods, authenticated_us, created_us, seen_us, expires_us) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     9, 0},
    [SESSION_GET] = {"session_get",
                     "SELECT secret_hash, methods, authenticated_us, created_us, seen_us, "
                     "expires_us FROM user_session "
                     "WHERE user_id = ? AND session_id = ? AND expires_us > ?",
                     3, 6},
    [SESSION_LIST] = {"session_list",
                      "SELECT session_id, device_sealed, methods, authenticated_us, created_us, "
                      "seen_us, expires_us FROM user_session "
                      "WHERE user_id = ? AND expires_us > ? ORDER BY seen_us DESC, session_id",
                      2, 7},
    [SESSION_SEEN] = {"session_seen",
                      "UPDATE user_session SET seen_us = ? WHERE user_id = ? AND session_id = ?", 3,
                      0},
    [SESSION_AUTHENTICATED] = {"session_authenticated",
                               "UPDATE user_session SET authenticated_us = ?, methods = ? "
                               "WHERE user_id = ? AND session_id = ?",
                               4, 0},
    [SESSION_RENEW] = {"session_renew",
                       "UPDATE user_session SET secret_hash = ?, methods = ?, "
                       "authenticated_us = ?, seen_us = ?, expires_us = ? "
                       "WHERE user_id = ? AND session_id = ? RETURNING device_sealed",
                       7, 1},
    [SESSION_RENAME] = {"session_rename",
                        "UPDATE user_session SET device_sealed = ? "
                        "WHERE user_id = ? AND session_id = ?",
                        3, 0},
    [SESSION_REMOVE] = {"session_remove",
                        "DELETE FROM user_session WHERE user_id = ? AND session_id = ?", 2, 0},
    [SESSION_REMOVE_ALL] = {"session_remove_all",
                            "DELETE FROM user_session WHERE user_id = ? AND session_id <> ? "
                            "RETURNING session_id",
                            2, 1},
    [SESSION_REMOVE_BEYOND] = {"session_remove_beyond",
                               "DELETE FROM user_session WHERE user_id = ? AND session_id NOT IN "
                               "(SELECT session_id FROM user_session WHERE user_id = ? "
                               "ORDER BY seen_us DESC, session_id LIMIT ?)",
                               3, 0},
    /* 8: offline_access, which is meant to outlive the session. */
    [SESSION_REMOVE_GRANTS] = {"session_remove_grants",
                               "DELETE FROM user_grant WHERE user_id = ? AND session_id = ? "
                               "AND (scopes & 8) = 0",
                               2, 0},
    [SESSION_REMOVE_ALL_GRANTS] = {"session_remove_all_grants",
                                   "DELETE FROM user_grant WHERE user_id = ?", 1, 0},
};
const size_t session_statements_len = _SESSION_STATEMENT_MAX;

static const JsonField device_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(SessionDevice, name), .max = 200},
    {"agent", JSON_FIELD_STR, offsetof(SessionDevice, agent), .max = 400},
    {"address", JSON_FIELD_STR, offsetof(SessionDevice, address), .max = 64},
    {0},
};

typedef struct TokenBytes {
    Uuid user_id, session_id;
    uint8_t secret[SESSION_SECRET_LEN];
} TokenBytes;
_Static_assert(sizeof(TokenBytes) == 64, "no padding: it is what the token encodes");

int session_token_parse(Str token, Uuid *ret_user_id, Uuid *ret_session_id,
                        uint8_t ret_secret_hash[VAULT_HASH_LEN]) {
    TokenBytes bytes;

    if (base64url_decode_fixed(token, (uint8_t *)&bytes, sizeof(bytes)) < 0) {
        return -EINVAL;
    }
    *ret_user_id = bytes.user_id;
    *ret_session_id = bytes.session_id;
    digest_sha256((Str){(const char *)bytes.secret, sizeof(bytes.secret)}, ret_secret_hash);
    secret_wipe(&bytes, sizeof(bytes));
    return 0;
}

void session_token_new(Session *session, char ret_token[SESSION_TOKEN_LEN + 1]) {
    session->session_id = uuid_new();
    session_token_renew(session, ret_token);
}

void session_token_renew(Session *session, char ret_token[SESSION_TOKEN_LEN + 1]) {
    TokenBytes bytes = {.user_id = session->user_id, .session_id = session->session_id};
    Buf text = BUF_INIT;

    random_bytes(bytes.secret, sizeof(bytes.secret));
    digest_sha256((Str){(const char *)bytes.secret, sizeof(bytes.secret)}, session->secret_hash);
    base64url_encode((Str){(const char *)&bytes, sizeof(bytes)}, &text);
    memcpy(ret_token, text.data, SESSION_TOKEN_LEN + 1);
    secret_wipe(&bytes, sizeof(bytes));
    secret_wipe(text.data, text.len);
    buf_done(&text);
}

static Str seal_device(const UserKey *key, const Uuid *session_id, const SessionDevice *device,
                       Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = json_write(device_fields, device);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    return column_seal(key, "user_session.device", uuid_str(session_id), str_from(text), arena);
}

static int open_device(const UserKey *key, const Uuid *session_id, Str sealed, Arena *arena,
                       SessionDevice *ret_device) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    SessionDevice device = {"", "", ""};
    const char *where;
    Str text;
    int r = column_open(key, "user_session.device", uuid_str(session_id), sealed, arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, device_fields, arena, &device, &where) < 0) {
        return err_trace(-EBADMSG);
    }
    *ret_device = device;
    return 0;
}

/* No statement here has a condition that it expects. */
static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &session_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int session_store_add(DbTx *tx, const UserKey *key, Arena *arena, const Session *session) {
    DbValue user_id = DB_BLOB(uuid_str(&session->user_id));
    int r = run(tx, SESSION_REMOVE_BEYOND, (DbValue[]){user_id, user_id, DB_INT(SESSIONS_MAX - 1)},
                NULL);

    if (r == 0) {
        Str hash = {(const char *)session->secret_hash, VAULT_HASH_LEN};
        r = run(
            tx, SESSION_ADD,
            (DbValue[]){user_id, DB_BLOB(uuid_str(&session->session_id)), DB_BLOB(hash),
                        DB_BLOB(seal_device(key, &session->session_id, &session->device, arena)),
                        DB_INT(session->methods), DB_INT(session->authenticated_us),
                        DB_INT(session->created_us), DB_INT(session->seen_us),
                        DB_INT(session->expires_us)},
            NULL);
    }
    return r < 0 ? err_trace(r) : 0;
}

int session_store_get(DbTx *tx, const Uuid *user_id, const Uuid *session_id,
                      const uint8_t secret_hash[VAULT_HASH_LEN], int64_t now_us, Arena *arena,
                      Session *ret_session) {
    const DbValue *row;
    int r = db_query_one(
        tx, &session_statements[SESSION_GET],
        (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(session_id)), DB_INT(now_us)},
        arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? SESSION_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    if (row[0].bytes.len != VAULT_HASH_LEN ||
        !digest_equal(row[0].bytes.ptr, secret_hash, VAULT_HASH_LEN)) {
        return SESSION_E_NONE;
    }
    *ret_session = (Session){.user_id = *user_id,
                             .session_id = *session_id,
                             .methods = (uint32_t)row[1].integer,
                             .authenticated_us = row[2].integer,
                             .created_us = row[3].integer,
                             .seen_us = row[4].integer,
                             .expires_us = row[5].integer};
    memcpy(ret_session->secret_hash, secret_hash, VAULT_HASH_LEN);
    return 0;
}

int session_store_list(DbTx *tx, const UserKey *key, int64_t now_us, Arena *arena,
                       Session **ret_sessions, size_t *ret_n) {
    Session *sessions;
    DbRows rows;
    int r = db_query(tx, &session_statements[SESSION_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_INT(now_us)}, SESSIONS_MAX,
                     arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    sessions = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*sessions));
    for (size_t i = 0; i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        Session *session = &sessions[i];
        *session = (Session){.user_id = key->user_id,
                             .methods = (uint32_t)row[2].integer,
                             .authenticated_us = row[3].integer,
                             .created_us = row[4].integer,
                             .seen_us = row[5].integer,
                             .expires_us = row[6].integer};
        if (uuid_from_str(row[0].bytes, &session->session_id) < 0) {
            return err_trace(-EBADMSG);
        }
        r = open_device(key, &session->session_id, row[1].bytes, arena, &session->device);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_sessions = sessions;
    *ret_n = rows.n_rows;
    return 0;
}

int session_store_seen(DbTx *tx, const Session *session, int64_t now_us) {
    return run(tx, SESSION_SEEN,
               (DbValue[]){DB_INT(now_us), DB_BLOB(uuid_str(&session->user_id)),
                           DB_BLOB(uuid_str(&session->session_id))},
               NULL);
}

int session_store_authenticated(DbTx *tx, const Session *session, uint32_t methods,
                                int64_t now_us) {
    return run(tx, SESSION_AUTHENTICATED,
               (DbValue[]){DB_INT(now_us), DB_INT(methods), DB_BLOB(uuid_str(&session->user_id)),
                           DB_BLOB(uuid_str(&session->session_id))},
               NULL);
}

int session_store_renew(DbTx *tx, const UserKey *key, Arena *arena, Session *session) {
    Str hash = {(const char *)session->secret_hash, VAULT_HASH_LEN};
    const DbValue *row;
    int r = db_query_one(
        tx, &session_statements[SESSION_RENEW],
        (DbValue[]){DB_BLOB(hash), DB_INT(session->methods), DB_INT(session->authenticated_us),
                    DB_INT(session->seen_us), DB_INT(session->expires_us),
                    DB_BLOB(uuid_str(&session->user_id)), DB_BLOB(uuid_str(&session->session_id))},
        arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? SESSION_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = open_device(key, &session->session_id, row[0].bytes, arena, &session->device);
    return r < 0 ? err_trace(r) : 0;
}

int session_store_rename(DbTx *tx, const UserKey *key, Arena *arena, const Uuid *session_id,
                         const SessionDevice *device) {
    uint64_t changed;
    int r = run(tx, SESSION_RENAME,
                (DbValue[]){DB_BLOB(seal_device(key, session_id, device, arena)),
                            DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(session_id))},
                &changed);

    if (r < 0) {
        return err_trace(r);
    }
    return changed > 0 ? 0 : SESSION_E_NONE;
}

int session_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *session_id) {
    uint64_t changed;
    int r = run(tx, SESSION_REMOVE,
                (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(session_id))}, &changed);

    if (r == 0) {
        r = run(tx, SESSION_REMOVE_GRANTS,
                (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(session_id))}, NULL);
    }
    if (r < 0) {
        return err_trace(r);
    }
    return changed > 0 ? 0 : SESSION_E_NONE;
}

int session_store_remove_all(DbTx *tx, const Uuid *user_id, const Uuid *keep, Arena *arena,
                             Uuid **ret_ids, size_t *ret_n) {
    static const Uuid nobody;
    int r = db_query_ids(
        tx, &session_statements[SESSION_REMOVE_ALL],
        (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(keep ? keep : &nobody))},
        SESSIONS_MAX, arena, ret_ids, ret_n);

    if (r == 0) {
        r = run(tx, SESSION_REMOVE_ALL_GRANTS, (DbValue[]){DB_BLOB(uuid_str(user_id))}, NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
