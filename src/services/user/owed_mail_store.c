/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/owed_mail_store.h"

#include "base/crypto/random.h"
#include "base/error.h"
#include "base/json.h"

#define COLUMN   "user_mail_token.owed"
#define DAY_US   86400000000LL
#define TEXT_MAX (64u << 10)

enum {
    OWED_MAIL_ADD,
    OWED_MAIL_LIST,
    OWED_MAIL_REMOVE,
    _OWED_MAIL_STATEMENT_MAX,
};

/* 3: MAIL_TOKEN_OWED. */
const DbStatement owed_mail_statements[_OWED_MAIL_STATEMENT_MAX] = {
    [OWED_MAIL_ADD] = {"owed_mail_add",
                       "INSERT INTO user_mail_token (token_hash, kind, user_id, payload_sealed, "
                       "created_us, expires_us) VALUES (?, 3, NULL, ?, ?, ?)",
                       4, 0},
    [OWED_MAIL_LIST] = {"owed_mail_list",
                        "SELECT token_hash, payload_sealed, expires_us FROM user_mail_token "
                        "WHERE kind = 3 ORDER BY created_us DESC, token_hash LIMIT ?",
                        1, 3},
    [OWED_MAIL_REMOVE] = {"owed_mail_remove",
                          "DELETE FROM user_mail_token WHERE token_hash = ? AND kind = 3", 1, 0},
};
const size_t owed_mail_statements_len = _OWED_MAIL_STATEMENT_MAX;

#define AT(member) offsetof(MailMessage, member)
static const JsonField message_fields[] = {
    {"to", JSON_FIELD_STR, AT(to), .required = true, .max = TEXT_MAX},
    {"subject", JSON_FIELD_STR, AT(subject), .required = true, .max = TEXT_MAX},
    {"text", JSON_FIELD_STR, AT(text), .required = true, .max = TEXT_MAX},
    {0},
};

static int run(DbTx *tx, int statement, const DbValue *params) {
    int r = db_exec(tx, &owed_mail_statements[statement], params, NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int owed_mail_store_add(DbTx *tx, const Vault *vault, const MailMessage *message, int64_t now_us,
                        Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = json_write(message_fields, message);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    uint8_t bytes[VAULT_HASH_LEN];
    const Str id = {(const char *)bytes, sizeof(bytes)};
    Str sealed;

    if (!text) {
        abort(); /* nothing but exhausted memory: the strings are UTF-8 */
    }
    random_bytes(bytes, sizeof(bytes));
    sealed = column_seal(vault_service_key(vault), COLUMN, id, str_from(text), arena);
    return run(tx, OWED_MAIL_ADD,
               (DbValue[]){DB_BLOB(id), DB_BLOB(sealed), DB_INT(now_us),
                           DB_INT(now_us + OWED_MAIL_DAYS * DAY_US)});
}

/* One that does not open stays without a message. */
static int open_message(const Vault *vault, Str sealed, Arena *arena, OwedMail *mail) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    MailMessage message = {0};
    const char *where;
    Str text;
    int r = column_open(vault_service_key(vault), COLUMN, mail->id, sealed, arena, &text);

    if (r != 0) {
        return r < 0 && r != -EBADMSG ? err_trace(r) : 0;
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (json && json_read(json, message_fields, arena, &message, &where) == 0) {
        mail->message = message;
    }
    return 0;
}

int owed_mail_store_list(DbTx *tx, const Vault *vault, size_t max, Arena *arena,
                         OwedMail **ret_mails, size_t *ret_n) {
    const DbValue most = DB_INT((int64_t)max);
    OwedMail *mails;
    DbRows rows;
    int r = db_query(tx, &owed_mail_statements[OWED_MAIL_LIST], &most, max, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    mails = arena_alloc(arena, (rows.n_rows + 1) * sizeof(*mails));
    for (size_t i = 0; i < rows.n_rows; i++) {
        mails[i] = (OwedMail){.id = db_rows_at(&rows, i, 0)->bytes,
                              .expires_us = db_rows_at(&rows, i, 2)->integer};
        r = open_message(vault, db_rows_at(&rows, i, 1)->bytes, arena, &mails[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_mails = mails;
    *ret_n = rows.n_rows;
    return 0;
}

int owed_mail_store_remove(DbTx *tx, Str id) {
    return run(tx, OWED_MAIL_REMOVE, (DbValue[]){DB_BLOB(id)});
}
