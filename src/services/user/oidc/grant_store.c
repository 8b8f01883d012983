/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/grant_store.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/json.h"

enum {
    GRANT_ADD,
    GRANT_GET,
    GRANT_CHECK,
    GRANT_PUT,
    GRANT_REMOVE,
    GRANT_REMOVE_EXPIRED,
    GRANT_REMOVE_BEYOND,
    GRANT_LIST,
    CONSENT_GET,
    CONSENT_PUT,
    CONSENT_LIST,
    _GRANT_STATEMENT_MAX,
};

const DbStatement grant_statements[_GRANT_STATEMENT_MAX] = {
    [GRANT_ADD] = {"grant_add",
                   "INSERT INTO user_grant (user_id, grant_id, client_id, session_id, scopes, "
                   "detail_sealed, counter, methods, authenticated_us, created_us, expires_us) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   11, 0},
    [GRANT_GET] = {"grant_get",
                   "SELECT client_id, session_id, scopes, detail_sealed, counter, methods, "
                   "authenticated_us, created_us, expires_us FROM user_grant "
                   "WHERE user_id = ? AND grant_id = ?",
                   2, 9},
    [GRANT_CHECK] = {"grant_check",
                     "SELECT counter FROM user_grant "
                     "WHERE user_id = ? AND grant_id = ? AND expires_us > ?",
                     3, 1},
    [GRANT_PUT] = {"grant_put",
                   "UPDATE user_grant SET counter = ?, expires_us = ? "
                   "WHERE user_id = ? AND grant_id = ?",
                   4, 0},
    [GRANT_REMOVE] = {"grant_remove", "DELETE FROM user_grant WHERE user_id = ? AND grant_id = ?",
                      2, 0},
    [GRANT_REMOVE_EXPIRED] = {"grant_remove_expired",
                              "DELETE FROM user_grant WHERE user_id = ? AND expires_us <= ?", 2, 0},
    [GRANT_REMOVE_BEYOND] = {"grant_remove_beyond",
                             "DELETE FROM user_grant WHERE user_id = ? AND grant_id NOT IN "
                             "(SELECT grant_id FROM user_grant WHERE user_id = ? "
                             "ORDER BY created_us DESC, grant_id LIMIT ?)",
                             3, 0},
    [GRANT_LIST] = {"grant_list",
                    "SELECT grant_id, client_id, scopes, methods, authenticated_us, created_us, "
                    "expires_us FROM user_grant WHERE user_id = ? "
                    "ORDER BY created_us, grant_id LIMIT ?",
                    2, 7},
    [CONSENT_GET] = {"consent_get",
                     "SELECT scopes FROM user_client_consent WHERE user_id = ? AND client_id = ?",
                     2, 1},
    [CONSENT_PUT] = {"consent_put",
                     "INSERT INTO user_client_consent (user_id, client_id, scopes, created_us) "
                     "VALUES (?, ?, ?, ?) ON CONFLICT (user_id, client_id) DO UPDATE "
                     "SET scopes = excluded.scopes, created_us = excluded.created_us",
                     4, 0},
    [CONSENT_LIST] = {"consent_list",
                      "SELECT client_id, scopes, created_us FROM user_client_consent "
                      "WHERE user_id = ? ORDER BY client_id LIMIT ?",
                      2, 3},
};
const size_t grant_statements_len = _GRANT_STATEMENT_MAX;

typedef struct Detail {
    const char *secret, *redirect_uri, *challenge, *nonce;
} Detail;

static const JsonField detail_fields[] = {
    {"secret", JSON_FIELD_STR, offsetof(Detail, secret), true, .max = 64},
    {"redirect_uri", JSON_FIELD_STR, offsetof(Detail, redirect_uri), true, .max = 2000},
    {"challenge", JSON_FIELD_STR, offsetof(Detail, challenge), true, .max = 64},
    {"nonce", JSON_FIELD_STR, offsetof(Detail, nonce), .max = 2000},
    {0},
};

static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &grant_statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static Str seal(const UserKey *key, const Grant *grant, Arena *arena) {
    _cleanup_(buf_done) Buf secret = BUF_INIT;
    Detail detail = {NULL, grant->redirect_uri, grant->challenge, grant->nonce};
    _cleanup_(json_decrefp) json_t *json = NULL;
    char *text;
    Str sealed;

    base64url_encode((Str){(const char *)grant->secret, GRANT_SECRET_LEN}, &secret);
    detail.secret = buf_cstr(&secret);
    json = json_write(detail_fields, &detail);
    text = json_dumps(json, JSON_COMPACT);
    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    sealed =
        column_seal(key, "user_grant.detail", uuid_str(&grant->grant_id), str_from(text), arena);
    secret_wipe(text, strlen(text));
    secret_wipe(secret.data, secret.len);
    free(text);
    return sealed;
}

static int unseal(const UserKey *key, Str sealed, Arena *arena, Grant *grant) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Detail detail = {0};
    const char *where;
    Str text;
    int r = column_open(key, "user_grant.detail", uuid_str(&grant->grant_id), sealed, arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, detail_fields, arena, &detail, &where) < 0 ||
        base64url_decode_fixed(str_from(detail.secret), grant->secret, GRANT_SECRET_LEN) < 0) {
        return err_trace(-EBADMSG);
    }
    grant->redirect_uri = detail.redirect_uri;
    grant->challenge = detail.challenge;
    grant->nonce = detail.nonce;
    return 0;
}

int grant_store_add(DbTx *tx, const UserKey *key, Arena *arena, Grant *grant) {
    DbValue user_id = DB_BLOB(uuid_str(&key->user_id));
    int r = run(tx, GRANT_REMOVE_EXPIRED, (DbValue[]){user_id, DB_INT(grant->created_us)});

    if (r == 0) {
        r = run(tx, GRANT_REMOVE_BEYOND, (DbValue[]){user_id, user_id, DB_INT(GRANTS_MAX - 1)});
    }
    if (r < 0) {
        return err_trace(r);
    }
    grant->user_id = key->user_id;
    grant->grant_id = uuid_new();
    random_bytes(grant->secret, sizeof(grant->secret));
    return run(tx, GRANT_ADD,
               (DbValue[]){user_id, DB_BLOB(uuid_str(&grant->grant_id)),
                           DB_TEXT(str_from(grant->client_id)),
                           DB_BLOB(uuid_str(&grant->session_id)), DB_INT(grant->scopes),
                           DB_BLOB(seal(key, grant, arena)), DB_INT(grant->counter),
                           DB_INT(grant->methods), DB_INT(grant->authenticated_us),
                           DB_INT(grant->created_us), DB_INT(grant->expires_us)});
}

int grant_store_get(DbTx *tx, const UserKey *key, const Uuid *grant_id, Arena *arena,
                    Grant *ret_grant) {
    Grant grant = {.user_id = key->user_id, .grant_id = *grant_id};
    const DbValue *row;
    int r = db_query_one(tx, &grant_statements[GRANT_GET],
                         (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(grant_id))},
                         arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? GRANT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    grant.client_id = arena_strdup(arena, row[0].bytes);
    grant.scopes = (uint32_t)row[2].integer;
    grant.counter = row[4].integer;
    grant.methods = (uint32_t)row[5].integer;
    grant.authenticated_us = row[6].integer;
    grant.created_us = row[7].integer;
    grant.expires_us = row[8].integer;
    if (uuid_from_str(row[1].bytes, &grant.session_id) < 0) {
        return err_trace(-EBADMSG);
    }
    r = unseal(key, row[3].bytes, arena, &grant);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_grant = grant;
    return 0;
}

int grant_store_check(DbTx *tx, const Uuid *user_id, const Uuid *grant_id, int64_t now_us,
                      Arena *arena) {
    const DbValue *row;
    int r = db_query_one(
        tx, &grant_statements[GRANT_CHECK],
        (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(grant_id)), DB_INT(now_us)}, arena,
        &row);

    if (r == DB_E_NONE) {
        return GRANT_E_NONE;
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int grant_store_put(DbTx *tx, const Grant *grant) {
    return run(tx, GRANT_PUT,
               (DbValue[]){DB_INT(grant->counter), DB_INT(grant->expires_us),
                           DB_BLOB(uuid_str(&grant->user_id)),
                           DB_BLOB(uuid_str(&grant->grant_id))});
}

int grant_store_remove(DbTx *tx, const Uuid *user_id, const Uuid *grant_id) {
    return run(tx, GRANT_REMOVE,
               (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(grant_id))});
}

int grant_store_list(DbTx *tx, const Uuid *user_id, Arena *arena, Grant **ret_grants,
                     size_t *ret_n) {
    Grant *grants;
    DbRows rows;
    int r = db_query(tx, &grant_statements[GRANT_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(GRANTS_MAX)}, GRANTS_MAX, arena,
                     &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    grants = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*grants));
    for (size_t i = 0; i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        grants[i] = (Grant){.user_id = *user_id,
                            .client_id = arena_strdup(arena, row[1].bytes),
                            .scopes = (uint32_t)row[2].integer,
                            .methods = (uint32_t)row[3].integer,
                            .authenticated_us = row[4].integer,
                            .created_us = row[5].integer,
                            .expires_us = row[6].integer};
        if (uuid_from_str(row[0].bytes, &grants[i].grant_id) < 0) {
            return err_trace(-EBADMSG);
        }
    }
    *ret_grants = grants;
    *ret_n = rows.n_rows;
    return 0;
}

int consent_store_list(DbTx *tx, const Uuid *user_id, Arena *arena, ClientConsent **ret_consents,
                       size_t *ret_n) {
    ClientConsent *consents;
    DbRows rows;
    int r = db_query(tx, &grant_statements[CONSENT_LIST],
                     (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(CLIENT_CONSENTS_MAX)},
                     CLIENT_CONSENTS_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    consents = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*consents));
    for (size_t i = 0; i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        consents[i] = (ClientConsent){arena_strdup(arena, row[0].bytes), (uint32_t)row[1].integer,
                                      row[2].integer};
    }
    *ret_consents = consents;
    *ret_n = rows.n_rows;
    return 0;
}

int consent_store_get(DbTx *tx, const Uuid *user_id, const char *client_id, Arena *arena,
                      uint32_t *ret_scopes) {
    const DbValue *row;
    int r = db_query_one(tx, &grant_statements[CONSENT_GET],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(client_id))},
                         arena, &row);

    if (r != 0 && r != DB_E_NONE) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_scopes = r == 0 ? (uint32_t)row[0].integer : 0;
    return 0;
}

int consent_store_put(DbTx *tx, const Uuid *user_id, const char *client_id, uint32_t scopes,
                      int64_t now_us) {
    return run(tx, CONSENT_PUT,
               (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(client_id)), DB_INT(scopes),
                           DB_INT(now_us)});
}

static void make_mac(const Grant *grant, GrantCredential kind, int64_t counter,
                     uint8_t ret_mac[DIGEST_LEN]) {
    char text[64];

    snprintf(text, sizeof(text), "%s/%lld", kind == GRANT_CODE ? "code" : "refresh",
             (long long)counter);
    digest_hmac((Str){(const char *)grant->secret, GRANT_SECRET_LEN}, str_from(text), ret_mac);
}

_Static_assert(sizeof(GrantClaim) == 72, "no padding: it is what the text encodes");

void grant_credential(const Grant *grant, GrantCredential kind,
                      char ret_text[GRANT_CREDENTIAL_LEN + 1]) {
    GrantClaim claim = {grant->user_id, grant->grant_id, grant->counter, {0}};
    Buf text = BUF_INIT;

    make_mac(grant, kind, grant->counter, claim.mac);
    base64url_encode((Str){(const char *)&claim, sizeof(claim)}, &text);
    memcpy(ret_text, text.data, GRANT_CREDENTIAL_LEN + 1);
    secret_wipe(text.data, text.len);
    buf_done(&text);
}

int grant_claim_parse(Str text, GrantClaim *ret_claim) {
    GrantClaim claim;

    if (base64url_decode_fixed(text, (uint8_t *)&claim, sizeof(claim)) < 0) {
        return -EINVAL;
    }
    *ret_claim = claim;
    return 0;
}

bool grant_claim_is_good(const Grant *grant, GrantCredential kind, const GrantClaim *claim) {
    uint8_t mac[DIGEST_LEN];

    make_mac(grant, kind, claim->counter, mac);
    return digest_equal(mac, claim->mac, sizeof(mac));
}
