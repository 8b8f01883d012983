/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/second_factor.h"

#include "base/crypto/base32.h"
#include "base/crypto/digest.h"
#include "base/crypto/random.h"
#include "base/crypto/totp.h"
#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/mails.h"
#include "services/user/read_token.h"

/* 80 bits, shown as four groups of four. */
#define RECOVERY_BYTES 10
#define RECOVERY_CHARS 16

enum {
    RECOVERY_ADD,
    RECOVERY_USE,
    RECOVERY_REMOVE_ALL,
    _RECOVERY_STATEMENT_MAX,
};

const DbStatement recovery_statements[_RECOVERY_STATEMENT_MAX] = {
    [RECOVERY_ADD] = {"recovery_add",
                      "INSERT INTO user_recovery_code (user_id, code_hash) VALUES (?, ?)", 2, 0},
    [RECOVERY_USE] = {"recovery_use",
                      "DELETE FROM user_recovery_code WHERE user_id = ? AND code_hash = ?", 2, 0},
    [RECOVERY_REMOVE_ALL] = {"recovery_remove_all",
                             "DELETE FROM user_recovery_code WHERE user_id = ?", 1, 0},
};
const size_t recovery_statements_len = _RECOVERY_STATEMENT_MAX;

/* SHA-256 is enough: a code has 80 random bits. False: it is of no code's form. */
static bool hash_recovery(Arena *arena, const char *code, uint8_t ret_hash[DIGEST_LEN]) {
    Buf compact = BUF_INIT;
    Str bytes;
    int r;

    for (; *code; code++) {
        if (*code != '-' && *code != ' ') {
            buf_add(&compact, code, 1);
        }
    }
    r = compact.len == RECOVERY_CHARS ? base32_decode(buf_str(&compact), arena, &bytes) : -EINVAL;
    buf_done(&compact);
    if (r < 0) {
        return false;
    }
    digest_sha256(bytes, ret_hash);
    return true;
}

static int use_recovery(DbTx *tx, UserCall *call, const Account *account, const char *code) {
    uint8_t hash[DIGEST_LEN];
    uint64_t changed;
    int r;

    if (!hash_recovery(call->arena, code, hash)) {
        return SECOND_FACTOR_E_WRONG;
    }
    r = db_exec(tx, &recovery_statements[RECOVERY_USE],
                (DbValue[]){DB_BLOB(uuid_str(&account->key.user_id)),
                            DB_BLOB(((Str){(const char *)hash, sizeof(hash)}))},
                &changed);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return changed == 1 ? 0 : SECOND_FACTOR_E_WRONG;
}

int second_factor_use(DbTx *tx, UserCall *call, Account *account, const char *code,
                      uint32_t *methods) {
    uint64_t step;
    int r;

    if (account->totp.len == 0) {
        return 0;
    }
    if (!code) {
        return SECOND_FACTOR_E_MISSING;
    }
    if (totp_verify(account->totp, str_from(code), call->now_us / 1000000, &step) == 0) {
        if (step <= (uint64_t)account->totp_step) {
            return SECOND_FACTOR_E_WRONG; /* seen before: somebody looked over a shoulder */
        }
        account->totp_step = (int64_t)step;
        *methods |= SESSION_METHOD_TOTP;
        return 0;
    }
    r = use_recovery(tx, call, account, code);
    if (r == 0) {
        *methods |= SESSION_METHOD_RECOVERY;
    }
    return r < 0 ? err_trace(r) : r;
}

typedef struct Label {
    UserCall *call;
    const char *email;
} Label;

static int load_label(DbTx *tx, void *userdata) {
    Label *label = userdata;
    UserCall *call = label->call;
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, call->service->vault, &call->session.user_id, call->arena, &account);

    label->email = account.email;
    return r < 0 ? err_trace(r) : r;
}

/* A secret to be put into an app; nothing is stored until a code of it comes back. */
static UserFailure start(UserCall *call, json_t **ret_body) {
    _cleanup_(buf_done) Buf text = BUF_INIT, uri = BUF_INIT;
    uint8_t secret[TOTP_SECRET_LEN];
    Str secret_str = {(const char *)secret, sizeof(secret)};
    Label label = {.call = call};
    int r = db_read(call->service->options.db, NULL, load_label, &label);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    random_bytes(secret, sizeof(secret));
    base32_encode(secret_str, &text);
    totp_uri(secret_str, str_lit("Image Sync"), str_from(label.email), &uri);
    *ret_body = json_pack("{s:s,s:s}", "secret", buf_cstr(&text), "uri", buf_cstr(&uri));
    return USER_FAILURE_NONE;
}

void totp_start_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, start);
}

typedef struct PutBody {
    const char *secret, *code;
} PutBody;

static const JsonField put_fields[] = {
    {"secret", JSON_FIELD_STR, offsetof(PutBody, secret), true, .max = 64},
    {"code", JSON_FIELD_STR, offsetof(PutBody, code), true, .max = 16},
    {0},
};

typedef struct Change {
    UserCall *call;
    Str secret; /* empty: remove */
    uint64_t step;
    const char *email;
    char codes[RECOVERY_CODES][RECOVERY_CHARS + 4];
} Change;

static int make_codes(DbTx *tx, Change *change, const Account *account) {
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        uint8_t bytes[RECOVERY_BYTES], hash[DIGEST_LEN];
        _cleanup_(buf_done) Buf text = BUF_INIT;
        int r;
        random_bytes(bytes, sizeof(bytes));
        digest_sha256((Str){(const char *)bytes, sizeof(bytes)}, hash);
        base32_encode((Str){(const char *)bytes, sizeof(bytes)}, &text);
        snprintf(change->codes[i], sizeof(change->codes[i]), "%.4s-%.4s-%.4s-%.4s", text.data,
                 text.data + 4, text.data + 8, text.data + 12);
        r = db_exec(tx, &recovery_statements[RECOVERY_ADD],
                    (DbValue[]){DB_BLOB(uuid_str(&account->key.user_id)),
                                DB_BLOB(((Str){(const char *)hash, sizeof(hash)}))},
                    NULL);
        if (r != 0) {
            return err_trace(r < 0 ? r : -EIO);
        }
    }
    return 0;
}

static int change_totp(DbTx *tx, void *userdata) {
    Change *change = userdata;
    UserCall *call = change->call;
    const Vault *vault = call->service->vault;
    bool added = change->secret.len > 0;
    AuditEvent event = user_call_event(call, added ? "totp.added" : "totp.removed", NULL);
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, vault, &call->session.user_id, call->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    account.totp =
        added ? (Str){arena_strdup(call->arena, change->secret), change->secret.len} : (Str){0};
    account.totp_step = (int64_t)change->step;
    r = db_exec(tx, &recovery_statements[RECOVERY_REMOVE_ALL],
                (DbValue[]){DB_BLOB(uuid_str(&account.key.user_id))}, NULL);
    if (r == 0 && added) {
        r = make_codes(tx, change, &account);
    }
    if (r != 0 || (r = account_store_put(tx, vault, call->arena, &account)) != 0 ||
        (r = audit_append(tx, vault, &account.key, call->now_us, call->arena, &event)) != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    change->email = account.email;
    return 0;
}

static UserFailure put(UserCall *call, json_t **ret_body) {
    Change change = {.call = call};
    PutBody body;
    UserFailure failure = user_call_read(call, put_fields, &body);
    int r;

    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    if (base32_decode(str_from(body.secret), call->arena, &change.secret) < 0 ||
        change.secret.len != TOTP_SECRET_LEN) {
        call->detail = "secret: send the one that POST gave.";
        return USER_FAILURE_INVALID_FIELD;
    }
    if (totp_verify(change.secret, str_from(body.code), call->now_us / 1000000, &change.step) !=
        0) {
        call->detail = "code: not the code of this secret now. Is the phone's clock right?";
        return USER_FAILURE_INVALID_FIELD;
    }
    r = db_write(call->service->options.db, change_totp, &change, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    mails_notice(call->service, MAIL_NOTICE_TOTP_ADDED, change.email);
    *ret_body = json_pack("{s:[]}", "recovery_codes");
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        json_array_append_new(json_object_get(*ret_body, "recovery_codes"),
                              json_string(change.codes[i]));
    }
    return USER_FAILURE_NONE;
}

void totp_put_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, put);
}

static UserFailure take_away(UserCall *call, json_t **ret_body) {
    Change change = {.call = call};
    int r = db_write(call->service->options.db, change_totp, &change, read_token_noted(call));

    *ret_body = NULL;
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    mails_notice(call->service, MAIL_NOTICE_TOTP_REMOVED, change.email);
    return USER_FAILURE_NONE;
}

void totp_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, take_away);
}
