/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/device_store.h"

#include "base/crypto/random.h"
#include "base/error.h"
#include "base/json.h"

#define ORIGIN_LEN_MAX 400

enum {
    DEVICE_ADD,
    DEVICE_GET,
    DEVICE_FIND,
    DEVICE_PUT,
    DEVICE_REMOVE_EXPIRED,
    _DEVICE_STATEMENT_MAX,
};

#define COLUMNS                                                                                    \
    "device_hash, user_code_hash, client_id, scopes, origin_sealed, state, user_id, grant_id, "    \
    "interval_s, polled_us, created_us, expires_us"

const DbStatement device_statements[_DEVICE_STATEMENT_MAX] = {
    [DEVICE_ADD] = {"device_add",
                    "INSERT INTO user_device_request (" COLUMNS ") "
                    "VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ?)",
                    10, 0},
    [DEVICE_GET] = {"device_get",
                    "SELECT " COLUMNS " FROM user_device_request WHERE device_hash = ?", 1, 12},
    [DEVICE_FIND] = {"device_find",
                     "SELECT " COLUMNS " FROM user_device_request WHERE user_code_hash = ?", 1, 12},
    [DEVICE_PUT] = {"device_put",
                    "UPDATE user_device_request SET state = ?, user_id = ?, grant_id = ?, "
                    "interval_s = ?, polled_us = ? WHERE device_hash = ?",
                    6, 0},
    [DEVICE_REMOVE_EXPIRED] = {"device_remove_expired",
                               "DELETE FROM user_device_request WHERE expires_us <= ?", 1, 0},
};
const size_t device_statements_len = _DEVICE_STATEMENT_MAX;

static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";
_Static_assert(sizeof(letters) == 20 + 1, "20^8 is 34 bits");

void user_code_new(char ret_code[USER_CODE_LEN + 1]) {
    size_t n = 0;

    while (n < USER_CODE_LEN) {
        uint8_t byte;
        random_bytes(&byte, 1);
        if (byte < 240) { /* twelve times the letters: the rest would make some likelier */
            ret_code[n++] = letters[byte % 20];
        }
    }
    ret_code[n] = '\0';
}

int user_code_normalise(Str typed, char ret_code[USER_CODE_LEN + 1]) {
    size_t n = 0;

    for (size_t i = 0; i < typed.len; i++) {
        char c = typed.ptr[i];
        if (c >= 'a' && c <= 'z') {
            c = (char)(c - 'a' + 'A');
        }
        if (c == ' ' || c == '-' || c == '.' || c == '_' || c == '\t') {
            continue;
        }
        if (c == '\0' || !strchr(letters, c) || n == USER_CODE_LEN) {
            return -EINVAL;
        }
        ret_code[n++] = c;
    }
    ret_code[n] = '\0';
    return n == USER_CODE_LEN ? 0 : -EINVAL;
}

void user_code_show(const char *code, char ret_shown[USER_CODE_SHOWN_SIZE]) {
    memcpy(ret_shown, code, USER_CODE_LEN / 2);
    ret_shown[USER_CODE_LEN / 2] = '-';
    memcpy(ret_shown + USER_CODE_LEN / 2 + 1, code + USER_CODE_LEN / 2, USER_CODE_LEN / 2 + 1);
}

void user_code_hash(const UserKey *service_key, const char *code, uint8_t ret_hash[DIGEST_LEN]) {
    uint8_t key[DIGEST_LEN];

    digest_hkdf((Str){(const char *)service_key->bytes, VAULT_KEY_LEN}, (Str){0},
                str_lit("imagesync/oidc/user-code"), key, sizeof(key));
    digest_hmac((Str){(const char *)key, sizeof(key)}, str_from(code), ret_hash);
    explicit_bzero(key, sizeof(key));
}

static Str hash_str(const uint8_t hash[DIGEST_LEN]) {
    return (Str){(const char *)hash, DIGEST_LEN};
}

static const JsonField origin_fields[] = {
    {"address", JSON_FIELD_STR, offsetof(DeviceRequest, address), true, .max = ORIGIN_LEN_MAX},
    {"agent", JSON_FIELD_STR, offsetof(DeviceRequest, agent), true, .max = ORIGIN_LEN_MAX},
    {0},
};

int device_store_add(DbTx *tx, const UserKey *service_key, Arena *arena,
                     const DeviceRequest *request) {
    _cleanup_(json_decrefp) json_t *origin = json_write(origin_fields, request);
    char *text = json_dumps(origin, JSON_COMPACT);
    Str sealed;
    int r;

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    sealed = column_seal(service_key, "user_device_request.origin", hash_str(request->device_hash),
                         str_from(text), arena);
    free(text);
    r = db_exec(tx, &device_statements[DEVICE_REMOVE_EXPIRED],
                (DbValue[]){DB_INT(request->created_us)}, NULL);
    if (r == 0) {
        r = db_exec(tx, &device_statements[DEVICE_ADD],
                    (DbValue[]){DB_BLOB(hash_str(request->device_hash)),
                                DB_BLOB(hash_str(request->user_code_hash)),
                                DB_TEXT(str_from(request->client_id)), DB_INT(request->scopes),
                                DB_BLOB(sealed), DB_INT(request->state),
                                DB_INT(request->interval_s), DB_INT(request->polled_us),
                                DB_INT(request->created_us), DB_INT(request->expires_us)},
                    NULL);
    }
    if (r == DB_E_EXISTS) {
        return -EBUSY;
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int read_hash(Str bytes, uint8_t ret_hash[DIGEST_LEN]) {
    if (bytes.len != DIGEST_LEN) {
        return -EBADMSG;
    }
    memcpy(ret_hash, bytes.ptr, DIGEST_LEN);
    return 0;
}

static int read_uuid(const DbValue *value, Uuid *ret_uuid) {
    return value->type == DB_TYPE_NULL ? 0 : uuid_from_str(value->bytes, ret_uuid);
}

static int read_row(const UserKey *service_key, const DbValue *row, Arena *arena,
                    DeviceRequest *ret_request) {
    DeviceRequest request = {.client_id = arena_strdup(arena, row[2].bytes),
                             .scopes = (uint32_t)row[3].integer,
                             .state = (DeviceState)row[5].integer,
                             .interval_s = row[8].integer,
                             .polled_us = row[9].integer,
                             .created_us = row[10].integer,
                             .expires_us = row[11].integer};
    _cleanup_(json_decrefp) json_t *origin = NULL;
    const char *where;
    Str text;
    int r;

    if (read_hash(row[0].bytes, request.device_hash) < 0 ||
        read_hash(row[1].bytes, request.user_code_hash) < 0 ||
        read_uuid(&row[6], &request.user_id) < 0 || read_uuid(&row[7], &request.grant_id) < 0) {
        return err_trace(-EBADMSG);
    }
    r = column_open(service_key, "user_device_request.origin", hash_str(request.device_hash),
                    row[4].bytes, arena, &text);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    origin = json_loadb(text.ptr, text.len, 0, NULL);
    if (!origin || json_read(origin, origin_fields, arena, &request, &where) < 0) {
        return err_trace(-EBADMSG);
    }
    *ret_request = request;
    return 0;
}

static int load(DbTx *tx, int statement, const UserKey *service_key, const uint8_t hash[DIGEST_LEN],
                Arena *arena, DeviceRequest *ret_request) {
    const DbValue *row;
    int r = db_query_one(tx, &device_statements[statement], (DbValue[]){DB_BLOB(hash_str(hash))},
                         arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? DEVICE_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    return err_trace(read_row(service_key, row, arena, ret_request));
}

int device_store_get(DbTx *tx, const UserKey *service_key, const uint8_t device_hash[DIGEST_LEN],
                     Arena *arena, DeviceRequest *ret_request) {
    return load(tx, DEVICE_GET, service_key, device_hash, arena, ret_request);
}

int device_store_find(DbTx *tx, const UserKey *service_key,
                      const uint8_t user_code_hash[DIGEST_LEN], Arena *arena,
                      DeviceRequest *ret_request) {
    return load(tx, DEVICE_FIND, service_key, user_code_hash, arena, ret_request);
}

int device_store_put(DbTx *tx, const DeviceRequest *request) {
    bool decided = request->state != DEVICE_UNDECIDED;
    bool allowed = request->state == DEVICE_ALLOWED || request->state == DEVICE_REDEEMED;
    int r = db_exec(tx, &device_statements[DEVICE_PUT],
                    (DbValue[]){DB_INT(request->state),
                                decided ? DB_BLOB(uuid_str(&request->user_id)) : DB_NULL,
                                allowed ? DB_BLOB(uuid_str(&request->grant_id)) : DB_NULL,
                                DB_INT(request->interval_s), DB_INT(request->polled_us),
                                DB_BLOB(hash_str(request->device_hash))},
                    NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
