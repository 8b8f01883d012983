/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/vault.h"

#include "base/crypto/aead.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"

enum {
    SERVICE_KEY_GET,
    SERVICE_KEY_ADD,
    _VAULT_STATEMENT_MAX,
};

static const DbStatement statements[_VAULT_STATEMENT_MAX] = {
    [SERVICE_KEY_GET] = {"service_key_get", "SELECT wrapped FROM user_service_key WHERE name = ?",
                         1, 1},
    [SERVICE_KEY_ADD] = {"service_key_add",
                         "INSERT INTO user_service_key (name, wrapped) VALUES (?, ?) "
                         "ON CONFLICT (name) DO NOTHING",
                         2, 0},
};

/* The keys that belong to no user, by what they are for. */
typedef enum ServiceKey {
    SERVICE_KEY_SEAL,
    SERVICE_KEY_EMAIL,
    SERVICE_KEY_AUDIT,
    _SERVICE_KEY_MAX,
} ServiceKey;

static const char *const service_key_names[_SERVICE_KEY_MAX] = {"seal", "email", "audit"};

struct Vault {
    MasterKeyRing *master;
    UserKey *keys; /* _SERVICE_KEY_MAX of them, in locked memory */
};

/* What a wrapped key is tied to. */
static Str wrap_label(Arena *arena, const char *kind, Str whose) {
    Buf label = BUF_INIT;
    Str copy;

    buf_addf(&label, "imagesync/%s/", kind);
    buf_add_str(&label, whose);
    copy = (Str){arena_strdup(arena, buf_str(&label)), label.len};
    buf_done(&label);
    return copy;
}

typedef struct ServiceKeys {
    Vault *vault;
    Arena *arena;
} ServiceKeys;

static int load_service_key(DbTx *tx, const ServiceKeys *load, ServiceKey which) {
    Str name = str_from(service_key_names[which]);
    Str label = wrap_label(load->arena, "service", name);
    uint8_t *key = load->vault->keys[which].bytes;
    const DbValue param = DB_TEXT(name);
    const DbValue *row;
    uint8_t wrapped[MASTER_KEY_WRAPPED_MAX];
    size_t len;
    int r;

    r = db_query_one(tx, &statements[SERVICE_KEY_GET], &param, load->arena, &row);
    if (r == DB_E_NONE) {
        random_bytes(key, VAULT_KEY_LEN);
        r = master_key_ring_wrap(load->vault->master, key, label, wrapped, &len);
        if (r < 0) {
            return err_trace(r);
        }
        r = db_exec(tx, &statements[SERVICE_KEY_ADD],
                    (DbValue[]){param, DB_BLOB(((Str){(const char *)wrapped, len}))}, NULL);
        if (r == 0) {
            r = db_query_one(tx, &statements[SERVICE_KEY_GET], &param, load->arena, &row);
        }
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    r = master_key_ring_unwrap(load->vault->master, row[0].bytes, label, key);
    return r <= 0 ? r : VAULT_E_BROKEN;
}

static int load_service_keys(DbTx *tx, void *userdata) {
    for (ServiceKey which = 0; which < _SERVICE_KEY_MAX; which++) {
        int r = load_service_key(tx, userdata, which);
        if (r != 0) {
            return r < 0 ? err_trace(r) : r;
        }
    }
    return 0;
}

int vault_new(Db *db, MasterKeyRing *master, Vault **ret_vault) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(vault_freep) Vault *vault = calloc(1, sizeof(*vault));
    const char *name;
    int r;

    if (!vault) {
        return err_trace(-ENOMEM);
    }
    vault->master = master;
    vault->keys = secret_alloc(_SERVICE_KEY_MAX * sizeof(*vault->keys));
    r = db_check(db, statements, _VAULT_STATEMENT_MAX, &name);
    if (r < 0) {
        return err_trace(r);
    }
    r = db_write(db, load_service_keys, &(ServiceKeys){vault, arena}, NULL);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    *ret_vault = TAKE_PTR(vault);
    return 0;
}

Vault *vault_free(Vault *vault) {
    if (vault) {
        secret_free(vault->keys);
        free(vault);
    }
    return NULL;
}

int vault_key_new(const Vault *vault, const Uuid *user_id, Arena *arena, UserKey *ret_key,
                  Str *ret_wrapped) {
    UserKey key = {.user_id = *user_id};
    uint8_t *wrapped = arena_alloc(arena, MASTER_KEY_WRAPPED_MAX);
    size_t len = 0;
    int r;

    random_bytes(key.bytes, sizeof(key.bytes));
    r = master_key_ring_wrap(vault->master, key.bytes, wrap_label(arena, "user", uuid_str(user_id)),
                             wrapped, &len);
    if (r == 0) {
        *ret_key = key;
        *ret_wrapped = (Str){(const char *)wrapped, len};
    }
    user_key_done(&key);
    return r < 0 ? err_trace(r) : 0;
}

int vault_key_open(const Vault *vault, const Uuid *user_id, Str wrapped, UserKey *ret_key) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    UserKey key = {.user_id = *user_id};
    int r = master_key_ring_unwrap(vault->master, wrapped,
                                   wrap_label(arena, "user", uuid_str(user_id)), key.bytes);

    if (r == 0) {
        *ret_key = key;
    }
    user_key_done(&key);
    return r < 0 ? err_trace(r) : r > 0 ? VAULT_E_BROKEN : 0;
}

static int rewrap(const Vault *vault, Str label, Str wrapped, Arena *arena, Str *ret_wrapped) {
    uint8_t *bytes = arena_alloc(arena, MASTER_KEY_WRAPPED_MAX);
    size_t len;
    int r = master_key_ring_rewrap(vault->master, wrapped, label, bytes, &len);

    if (r != 0) {
        return r < 0 ? err_trace(r) : VAULT_E_BROKEN;
    }
    *ret_wrapped = (Str){(const char *)bytes, len};
    return 0;
}

int vault_rewrap_user(const Vault *vault, const Uuid *user_id, Str wrapped, Arena *arena,
                      Str *ret_wrapped) {
    return rewrap(vault, wrap_label(arena, "user", uuid_str(user_id)), wrapped, arena, ret_wrapped);
}

int vault_rewrap_service(const Vault *vault, Str name, Str wrapped, Arena *arena,
                         Str *ret_wrapped) {
    return rewrap(vault, wrap_label(arena, "service", name), wrapped, arena, ret_wrapped);
}

void vault_key_of_secret(Str secret, const char *purpose, UserKey *ret_key) {
    *ret_key = (UserKey){0};
    digest_hkdf(secret, (Str){0}, str_from(purpose), ret_key->bytes, sizeof(ret_key->bytes));
}

const UserKey *vault_service_key(const Vault *vault) {
    return &vault->keys[SERVICE_KEY_SEAL];
}

static Str key_str(const Vault *vault, ServiceKey which) {
    return (Str){(const char *)vault->keys[which].bytes, VAULT_KEY_LEN};
}

void vault_hash_email(const Vault *vault, Str canonical, uint8_t ret_hash[VAULT_HASH_LEN]) {
    digest_hmac(key_str(vault, SERVICE_KEY_EMAIL), canonical, ret_hash);
}

void vault_hash_identity(const Vault *vault, Str issuer, Str subject,
                         uint8_t ret_hash[VAULT_HASH_LEN]) {
    _cleanup_(buf_done) Buf bytes = BUF_INIT;
    uint64_t len = issuer.len;
    uint8_t key[VAULT_KEY_LEN];

    digest_hkdf(key_str(vault, SERVICE_KEY_EMAIL), (Str){0}, str_lit("imagesync/identity"), key,
                sizeof(key));
    buf_add(&bytes, &len, sizeof(len));
    buf_add_str(&bytes, issuer);
    buf_add_str(&bytes, subject);
    digest_hmac((Str){(const char *)key, sizeof(key)}, buf_str(&bytes), ret_hash);
    secret_wipe(key, sizeof(key));
}

void vault_audit_mac(const Vault *vault, const Str *parts, size_t n_parts,
                     uint8_t ret_mac[VAULT_HASH_LEN]) {
    _cleanup_(buf_done) Buf bytes = BUF_INIT;

    for (size_t i = 0; i < n_parts; i++) {
        uint64_t len = parts[i].len;
        buf_add(&bytes, &len, sizeof(len));
        buf_add_str(&bytes, parts[i]);
    }
    digest_hmac(key_str(vault, SERVICE_KEY_AUDIT), buf_str(&bytes), ret_mac);
}
