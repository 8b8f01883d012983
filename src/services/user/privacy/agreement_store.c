/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/agreement_store.h"

#include "base/error.h"
#include "base/json.h"

enum {
    AGREEMENT_ADD,
    AGREEMENT_NEWEST,
    AGREEMENT_LIST,
    _AGREEMENT_STATEMENT_MAX,
};

const DbStatement agreement_statements[_AGREEMENT_STATEMENT_MAX] = {
    [AGREEMENT_ADD] = {"agreement_add",
                       "INSERT INTO user_consent (user_id, consent_id, document, version, given, "
                       "at_us, detail_sealed) VALUES (?, ?, ?, ?, ?, ?, ?)",
                       7, 0},
    [AGREEMENT_NEWEST] = {"agreement_newest",
                          "SELECT consent_id, version, given, at_us FROM user_consent "
                          "WHERE user_id = ? AND document = ? ORDER BY consent_id DESC LIMIT 1",
                          2, 4},
    [AGREEMENT_LIST] = {"agreement_list",
                        "SELECT consent_id, document, version, given, at_us, detail_sealed "
                        "FROM user_consent WHERE user_id = ? AND consent_id > ? "
                        "ORDER BY consent_id LIMIT ?",
                        3, 6},
};
const size_t agreement_statements_len = _AGREEMENT_STATEMENT_MAX;

static const JsonField detail_fields[] = {
    {"address", JSON_FIELD_STR, offsetof(Consent, address), .max = 64},
    {"agent", JSON_FIELD_STR, offsetof(Consent, agent), .max = 400},
    {0},
};

int agreement_store_add(DbTx *tx, const UserKey *key, Arena *arena, const Consent *consent) {
    _cleanup_(json_decrefp) json_t *json = json_write(detail_fields, consent);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    Uuid id = uuid_new();
    Str sealed;
    int r;

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    sealed = column_seal(key, "user_consent.detail", uuid_str(&id), str_from(text), arena);
    r = db_exec(tx, &agreement_statements[AGREEMENT_ADD],
                (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(&id)),
                            DB_TEXT(str_from(consent->document)),
                            DB_TEXT(str_from(consent->version)), DB_INT(consent->given),
                            DB_INT(consent->at_us), DB_BLOB(sealed)},
                NULL);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int agreement_store_newest(DbTx *tx, const Uuid *user_id, const char *document, Arena *arena,
                           Consent *ret_consent) {
    Consent consent = {.document = document};
    const DbValue *row;
    int r = db_query_one(tx, &agreement_statements[AGREEMENT_NEWEST],
                         (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_TEXT(str_from(document))},
                         arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? AGREEMENT_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    consent.version = arena_strdup(arena, row[1].bytes);
    consent.given = row[2].integer != 0;
    consent.at_us = row[3].integer;
    if (uuid_from_str(row[0].bytes, &consent.consent_id) < 0) {
        return err_trace(-EBADMSG);
    }
    *ret_consent = consent;
    return 0;
}

static int open_row(const UserKey *key, const DbValue *row, Arena *arena, Consent *ret_consent) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Consent consent = {.document = arena_strdup(arena, row[1].bytes),
                       .version = arena_strdup(arena, row[2].bytes),
                       .given = row[3].integer != 0,
                       .at_us = row[4].integer};
    const char *where;
    Str text;
    int r = column_open(key, "user_consent.detail", row[0].bytes, row[5].bytes, arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, detail_fields, arena, &consent, &where) < 0 ||
        uuid_from_str(row[0].bytes, &consent.consent_id) < 0) {
        return err_trace(-EBADMSG);
    }
    *ret_consent = consent;
    return 0;
}

int agreement_store_list(DbTx *tx, const UserKey *key, const Uuid *after, size_t max, Arena *arena,
                         Consent **ret_consents, size_t *ret_n) {
    Consent *consents;
    DbRows rows;
    int r = db_query(
        tx, &agreement_statements[AGREEMENT_LIST],
        (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_BLOB(uuid_str(after)), DB_INT(max)}, max,
        arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    consents = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*consents));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = open_row(key, db_rows_at(&rows, i, 0), arena, &consents[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_consents = consents;
    *ret_n = rows.n_rows;
    return 0;
}
