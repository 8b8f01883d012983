/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/account_store.h"

#include "base/crypto/secret.h"
#include "base/error.h"
#include "base/json.h"

const char *const account_role_names[] = {"user", "support", "admin", NULL};
const char *const account_status_names[] = {"active", "locked", "erasing", NULL};

enum {
    ACCOUNT_GET,
    ACCOUNT_KEY,
    ACCOUNT_FIND_ID,
    ACCOUNT_ADD_KEY,
    ACCOUNT_ADD,
    ACCOUNT_ADD_EMAIL,
    ACCOUNT_REMOVE_EMAIL,
    ACCOUNT_PUT,
    _ACCOUNT_STATEMENT_MAX,
};

const DbStatement account_statements[_ACCOUNT_STATEMENT_MAX] = {
    [ACCOUNT_GET] = {"account_get",
                     "SELECT k.wrapped, a.status, a.role, a.email_sealed, a.profile_sealed, "
                     "a.password_sealed, a.totp_sealed, a.totp_step, a.erase_us, a.created_us, "
                     "a.version, v.version "
                     "FROM user_account a JOIN user_key k ON k.user_id = a.user_id "
                     "LEFT JOIN user_avatar v ON v.user_id = a.user_id "
                     "AND v.image_sealed IS NOT NULL WHERE a.user_id = ?",
                     1, 12},
    [ACCOUNT_KEY] = {"account_key", "SELECT wrapped FROM user_key WHERE user_id = ?", 1, 1},
    [ACCOUNT_FIND_ID] = {"account_find_id", "SELECT user_id FROM user_email WHERE email_hash = ?",
                         1, 1},
    [ACCOUNT_ADD_KEY] = {"account_add_key",
                         "INSERT INTO user_key (user_id, wrapped, created_us) VALUES (?, ?, ?)", 3,
                         0},
    [ACCOUNT_ADD] = {"account_add",
                     "INSERT INTO user_account (user_id, status, role, email_hash, email_sealed, "
                     "profile_sealed, password_sealed, totp_sealed, totp_step, erase_us, "
                     "created_us, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
                     11, 0},
    [ACCOUNT_ADD_EMAIL] = {"account_add_email",
                           "INSERT INTO user_email (email_hash, user_id) VALUES (?, ?) "
                           "ON CONFLICT (email_hash) DO NOTHING",
                           2, 0},
    [ACCOUNT_REMOVE_EMAIL] = {"account_remove_email",
                              "DELETE FROM user_email WHERE user_id = ? AND email_hash = "
                              "(SELECT email_hash FROM user_account WHERE user_id = ?)",
                              2, 0},
    [ACCOUNT_PUT] = {"account_put",
                     "UPDATE user_account SET status = ?, role = ?, email_hash = ?, "
                     "email_sealed = ?, profile_sealed = ?, password_sealed = ?, totp_sealed = ?, "
                     "totp_step = ?, erase_us = ?, version = version + 1 "
                     "WHERE user_id = ? AND version = ?",
                     11, 0},
};
const size_t account_statements_len = _ACCOUNT_STATEMENT_MAX;

static const JsonField profile_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(Profile, name), .max = PROFILE_NAME_MAX},
    {"locale", JSON_FIELD_STR, offsetof(Profile, locale), .max = PROFILE_LOCALE_MAX},
    {"zone", JSON_FIELD_STR, offsetof(Profile, zone), .max = PROFILE_ZONE_MAX},
    {0},
};

void account_done(Account *account) {
    user_key_done(&account->key);
    if (account->totp.len > 0) {
        secret_wipe((char *)account->totp.ptr, account->totp.len);
    }
    *account = (Account){0};
}

static int open_profile(const UserKey *key, Str sealed, Arena *arena, Profile *ret_profile) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Profile profile = {"", "", ""};
    const char *where;
    Str text;
    int r = column_open(key, "user_account.profile", (Str){0}, sealed, arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, profile_fields, arena, &profile, &where) < 0) {
        return err_trace(-EBADMSG);
    }
    *ret_profile = profile;
    return 0;
}

/* A sealed text column; NULL stays NULL. */
static int open_text(const UserKey *key, const char *column, const DbValue *value, Arena *arena,
                     const char **ret_text) {
    Str text;
    int r;

    if (value->type == DB_TYPE_NULL) {
        *ret_text = NULL;
        return 0;
    }
    r = column_open(key, column, (Str){0}, value->bytes, arena, &text);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    *ret_text = arena_strdup(arena, text);
    return 0;
}

static int open_row(const Vault *vault, const Uuid *user_id, const DbValue *row, Arena *arena,
                    Account *ret_account) {
    _cleanup_(account_done) Account account = {0};
    int r = vault_key_open(vault, user_id, row[0].bytes, &account.key);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    account.status = (int)row[1].integer;
    account.role = (int)row[2].integer;
    account.totp_step = row[7].integer;
    account.erase_us = row[8].type == DB_TYPE_NULL ? 0 : row[8].integer;
    account.created_us = row[9].integer;
    account.version = row[10].integer;
    account.avatar_version = row[11].type == DB_TYPE_NULL ? 0 : row[11].integer;
    if ((r = open_text(&account.key, "user_account.email", &row[3], arena, &account.email)) < 0 ||
        (r = open_profile(&account.key, row[4].bytes, arena, &account.profile)) < 0 ||
        (r = open_text(&account.key, "user_account.password", &row[5], arena, &account.password)) <
            0) {
        return err_trace(r);
    }
    if (row[6].type != DB_TYPE_NULL) {
        r = column_open(&account.key, "user_account.totp", (Str){0}, row[6].bytes, arena,
                        &account.totp);
        if (r != 0) {
            return err_trace(r < 0 ? r : -EBADMSG);
        }
    }
    *ret_account = account;
    account = (Account){0};
    return 0;
}

int account_store_get(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                      Account *ret_account) {
    const DbValue params[] = {DB_BLOB(uuid_str(user_id))};
    const DbValue *row;
    int r = db_query_one(tx, &account_statements[ACCOUNT_GET], params, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? ACCOUNT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = open_row(vault, user_id, row, arena, ret_account);
    return r < 0 ? err_trace(r) : r;
}

int account_store_key(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                      UserKey *ret_key) {
    const DbValue params[] = {DB_BLOB(uuid_str(user_id))};
    const DbValue *row;
    int r = db_query_one(tx, &account_statements[ACCOUNT_KEY], params, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? ACCOUNT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    r = vault_key_open(vault, user_id, row[0].bytes, ret_key);
    return r == VAULT_E_BROKEN ? err_trace(-EBADMSG) : err_trace(r);
}

int account_store_find_id(DbTx *tx, const uint8_t email_hash[VAULT_HASH_LEN], Arena *arena,
                          Uuid *ret_user_id) {
    const DbValue params[] = {DB_BLOB(((Str){(const char *)email_hash, VAULT_HASH_LEN}))};
    const DbValue *row;
    int r = db_query_one(tx, &account_statements[ACCOUNT_FIND_ID], params, arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? ACCOUNT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    return uuid_from_str(row[0].bytes, ret_user_id) < 0 ? err_trace(-EBADMSG) : 0;
}

int account_store_find(DbTx *tx, const Vault *vault, const uint8_t email_hash[VAULT_HASH_LEN],
                       Arena *arena, Account *ret_account) {
    Uuid user_id;
    int r = account_store_find_id(tx, email_hash, arena, &user_id);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = account_store_get(tx, vault, &user_id, arena, ret_account);
    return r < 0 ? err_trace(r) : r;
}

/* What ADD and PUT write alike. */
typedef struct SealedAccount {
    uint8_t email_hash[VAULT_HASH_LEN];
    Str email, profile;
    DbValue password, totp, erase_us;
} SealedAccount;

static DbValue seal_or_null(const UserKey *key, const char *column, Str value, Arena *arena) {
    return value.len == 0 ? DB_NULL : DB_BLOB(column_seal(key, column, (Str){0}, value, arena));
}

static void seal_account(const Vault *vault, const Account *account, Arena *arena,
                         SealedAccount *ret_sealed) {
    _cleanup_(json_decrefp) json_t *json = json_write(profile_fields, &account->profile);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    Str email = str_from(account->email);

    if (!text) {
        abort(); /* nothing but exhausted memory: the strings were read as UTF-8 */
    }
    vault_hash_email(vault, email, ret_sealed->email_hash);
    ret_sealed->email = column_seal(&account->key, "user_account.email", (Str){0}, email, arena);
    ret_sealed->profile =
        column_seal(&account->key, "user_account.profile", (Str){0}, str_from(text), arena);
    ret_sealed->password =
        seal_or_null(&account->key, "user_account.password", str_from(account->password), arena);
    ret_sealed->totp = seal_or_null(&account->key, "user_account.totp", account->totp, arena);
    ret_sealed->erase_us = account->erase_us == 0 ? DB_NULL : DB_INT(account->erase_us);
}

static Str hash_str(const uint8_t hash[VAULT_HASH_LEN]) {
    return (Str){(const char *)hash, VAULT_HASH_LEN};
}

/* ACCOUNT_E_EXISTS: somebody has the address. */
static int claim_email(DbTx *tx, const Uuid *user_id, const uint8_t email_hash[VAULT_HASH_LEN]) {
    const DbValue params[] = {DB_BLOB(hash_str(email_hash)), DB_BLOB(uuid_str(user_id))};
    uint64_t changed;
    int r = db_exec(tx, &account_statements[ACCOUNT_ADD_EMAIL], params, &changed);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return changed == 1 ? 0 : ACCOUNT_E_EXISTS;
}

int account_store_add(DbTx *tx, const Vault *vault, Arena *arena, Account *account) {
    Uuid user_id = account->key.user_id;
    SealedAccount sealed;
    Str wrapped;
    int r = vault_key_new(vault, &user_id, arena, &account->key, &wrapped);

    if (r < 0) {
        return err_trace(r);
    }
    seal_account(vault, account, arena, &sealed);
    r = claim_email(tx, &user_id, sealed.email_hash);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = db_exec(
        tx, &account_statements[ACCOUNT_ADD_KEY],
        (DbValue[]){DB_BLOB(uuid_str(&user_id)), DB_BLOB(wrapped), DB_INT(account->created_us)},
        NULL);
    if (r == 0) {
        r = db_exec(tx, &account_statements[ACCOUNT_ADD],
                    (DbValue[]){DB_BLOB(uuid_str(&user_id)), DB_INT(account->status),
                                DB_INT(account->role), DB_BLOB(hash_str(sealed.email_hash)),
                                DB_BLOB(sealed.email), DB_BLOB(sealed.profile), sealed.password,
                                sealed.totp, DB_INT(account->totp_step), sealed.erase_us,
                                DB_INT(account->created_us)},
                    NULL);
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    account->version = 1;
    return 0;
}

/* Lets go of the address that the table has and claims the one that the account has now. */
static int move_email(DbTx *tx, const Uuid *user_id, const uint8_t email_hash[VAULT_HASH_LEN]) {
    const DbValue params[] = {DB_BLOB(uuid_str(user_id)), DB_BLOB(uuid_str(user_id))};
    int r = db_exec(tx, &account_statements[ACCOUNT_REMOVE_EMAIL], params, NULL);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    r = claim_email(tx, user_id, email_hash);
    return r < 0 ? err_trace(r) : r;
}

int account_store_put(DbTx *tx, const Vault *vault, Arena *arena, Account *account) {
    const Uuid *user_id = &account->key.user_id;
    SealedAccount sealed;
    uint64_t changed;
    Uuid owner;
    int r;

    seal_account(vault, account, arena, &sealed);
    r = account_store_find_id(tx, sealed.email_hash, arena, &owner);
    if (r == 0 && !uuid_equal(&owner, user_id)) {
        return ACCOUNT_E_EXISTS;
    }
    if (r == ACCOUNT_E_NONE) {
        r = move_email(tx, user_id, sealed.email_hash);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    r = db_exec(tx, &account_statements[ACCOUNT_PUT],
                (DbValue[]){DB_INT(account->status), DB_INT(account->role),
                            DB_BLOB(hash_str(sealed.email_hash)), DB_BLOB(sealed.email),
                            DB_BLOB(sealed.profile), sealed.password, sealed.totp,
                            DB_INT(account->totp_step), sealed.erase_us, DB_BLOB(uuid_str(user_id)),
                            DB_INT(account->version)},
                &changed);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    if (changed == 0) {
        return ACCOUNT_E_STALE;
    }
    account->version++;
    return 0;
}
