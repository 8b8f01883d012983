/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/audit.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/json.h"

#define VERIFY_BATCH 500

enum {
    AUDIT_LAST,
    AUDIT_ADD,
    AUDIT_LIST,
    AUDIT_FROM,
    AUDIT_ANCHOR_GET,
    AUDIT_ANCHOR_PUT,
    AUDIT_CUT,
    AUDIT_OLD,
    _AUDIT_STATEMENT_MAX,
};

const DbStatement audit_statements[_AUDIT_STATEMENT_MAX] = {
    [AUDIT_LAST] = {"audit_last",
                    "SELECT seq, mac FROM user_audit WHERE user_id = ? ORDER BY seq DESC LIMIT 1",
                    1, 2},
    [AUDIT_ADD] = {"audit_add",
                   "INSERT INTO user_audit (user_id, seq, at_us, action, detail_sealed, mac) "
                   "VALUES (?, ?, ?, ?, ?, ?)",
                   6, 0},
    [AUDIT_LIST] = {"audit_list",
                    "SELECT seq, at_us, action, detail_sealed FROM user_audit "
                    "WHERE user_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
                    3, 4},
    [AUDIT_FROM] = {"audit_from",
                    "SELECT seq, at_us, action, detail_sealed, mac FROM user_audit "
                    "WHERE user_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                    3, 5},
    [AUDIT_ANCHOR_GET] = {"audit_anchor_get",
                          "SELECT seq, mac, tag FROM user_audit_anchor WHERE user_id = ?", 1, 3},
    [AUDIT_ANCHOR_PUT] = {"audit_anchor_put",
                          "INSERT INTO user_audit_anchor (user_id, seq, mac, tag) "
                          "VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET "
                          "seq = excluded.seq, mac = excluded.mac, tag = excluded.tag",
                          4, 0},
    [AUDIT_CUT] = {"audit_cut", "DELETE FROM user_audit WHERE user_id = ? AND seq <= ?", 2, 0},
    [AUDIT_OLD] = {"audit_old",
                   "SELECT DISTINCT user_id FROM user_audit WHERE at_us < ? AND user_id > ? "
                   "ORDER BY user_id LIMIT ?",
                   3, 1},
};
const size_t audit_statements_len = _AUDIT_STATEMENT_MAX;

typedef struct Detail {
    const char *address, *agent, *session, *subject;
} Detail;

static const JsonField detail_fields[] = {
    {"address", JSON_FIELD_STR, offsetof(Detail, address), .max = 64},
    {"agent", JSON_FIELD_STR, offsetof(Detail, agent), .max = 400},
    {"session", JSON_FIELD_STR, offsetof(Detail, session), .max = 64},
    {"subject", JSON_FIELD_STR, offsetof(Detail, subject), .max = 400},
    {0},
};

/* A row's number as the associated data of its detail, and as a part of its mac. */
static Str int64_str(const int64_t *value) {
    return (Str){(const char *)value, sizeof(*value)};
}

static void row_mac(const Vault *vault, const Uuid *user_id, int64_t seq, int64_t at_us, Str action,
                    Str sealed, Str before, uint8_t ret_mac[VAULT_HASH_LEN]) {
    const Str parts[] = {
        uuid_str(user_id), int64_str(&seq), int64_str(&at_us), action, sealed, before};

    vault_audit_mac(vault, parts, ARRAY_LEN(parts), ret_mac);
}

int audit_append(DbTx *tx, const Vault *vault, const UserKey *key, int64_t now_us, Arena *arena,
                 const AuditEvent *event) {
    const Detail detail = {event->address, event->agent, event->session, event->subject};
    _cleanup_(json_decrefp) json_t *json = json_write(detail_fields, &detail);
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    DbValue user_id = DB_BLOB(uuid_str(&key->user_id));
    Str action = str_from(event->action), before = {0}, sealed;
    uint8_t mac[VAULT_HASH_LEN];
    const DbValue *last;
    int64_t seq = 1;
    int r = db_query_one(tx, &audit_statements[AUDIT_LAST], &user_id, arena, &last);

    if (r != 0 && r != DB_E_NONE) {
        return err_trace(r < 0 ? r : -EIO);
    }
    if (r == 0) {
        seq = last[0].integer + 1;
        before = last[1].bytes;
    }
    if (!text) {
        return err_trace(-ENOMEM);
    }
    sealed = column_seal(key, "user_audit.detail", int64_str(&seq), str_from(text), arena);
    row_mac(vault, &key->user_id, seq, now_us, action, sealed, before, mac);
    r = db_exec(tx, &audit_statements[AUDIT_ADD],
                (DbValue[]){user_id, DB_INT(seq), DB_INT(now_us), DB_TEXT(action), DB_BLOB(sealed),
                            DB_BLOB(((Str){(const char *)mac, sizeof(mac)}))},
                NULL);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int open_entry(const UserKey *key, const DbValue *row, Arena *arena, AuditEntry *ret_entry) {
    _cleanup_(json_decrefp) json_t *json = NULL;
    Detail detail = {0};
    const char *where;
    Str text;
    int r = column_open(key, "user_audit.detail", int64_str(&row[0].integer), row[3].bytes, arena,
                        &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    json = json_loadb(text.ptr, text.len, 0, NULL);
    if (!json || json_read(json, detail_fields, arena, &detail, &where) < 0) {
        return err_trace(-EBADMSG);
    }
    *ret_entry = (AuditEntry){.seq = row[0].integer,
                              .at_us = row[1].integer,
                              .event = {arena_strdup(arena, row[2].bytes), detail.address,
                                        detail.agent, detail.session, detail.subject}};
    return 0;
}

/* From that number on: down with AUDIT_LIST, up with AUDIT_FROM. */
static int list(DbTx *tx, int statement, const UserKey *key, int64_t seq, size_t max, Arena *arena,
                AuditEntry **ret_entries, size_t *ret_n) {
    AuditEntry *entries;
    DbRows rows;
    int r = db_query(tx, &audit_statements[statement],
                     (DbValue[]){DB_BLOB(uuid_str(&key->user_id)), DB_INT(seq), DB_INT(max)}, max,
                     arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    entries = arena_alloc(arena, MAX(rows.n_rows, 1u) * sizeof(*entries));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = open_entry(key, db_rows_at(&rows, i, 0), arena, &entries[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_entries = entries;
    *ret_n = rows.n_rows;
    return 0;
}

int audit_list(DbTx *tx, const UserKey *key, int64_t before_seq, size_t max, Arena *arena,
               AuditEntry **ret_entries, size_t *ret_n) {
    return list(tx, AUDIT_LIST, key, before_seq == 0 ? INT64_MAX : before_seq, max, arena,
                ret_entries, ret_n);
}

int audit_list_after(DbTx *tx, const UserKey *key, int64_t after_seq, size_t max, Arena *arena,
                     AuditEntry **ret_entries, size_t *ret_n) {
    return list(tx, AUDIT_FROM, key, after_seq, max, arena, ret_entries, ret_n);
}

typedef struct Walk {
    const Vault *vault;
    const Uuid *user_id;
    const AuditEnd *kept;
    AuditEnd from, to; /* `from` stays, so that a batch can be read again */
    size_t n_rows;
} Walk;

static bool row_holds(const Walk *walk, const AuditEnd *before, const DbValue *row,
                      uint8_t ret_mac[VAULT_HASH_LEN]) {
    Str before_mac =
        before->seq == 0 ? (Str){0} : (Str){(const char *)before->mac, sizeof(before->mac)};

    row_mac(walk->vault, walk->user_id, row[0].integer, row[1].integer, row[2].bytes, row[3].bytes,
            before_mac, ret_mac);
    return row[0].integer == before->seq + 1 && row[4].bytes.len == VAULT_HASH_LEN &&
           digest_equal(row[4].bytes.ptr, ret_mac, VAULT_HASH_LEN);
}

static void anchor_tag(const Vault *vault, const Uuid *user_id, int64_t seq, Str mac,
                       uint8_t ret_tag[VAULT_HASH_LEN]) {
    const Str parts[] = {str_lit("anchor"), uuid_str(user_id), int64_str(&seq), mac};

    vault_audit_mac(vault, parts, ARRAY_LEN(parts), ret_tag);
}

/* Where a chain begins. 0, AUDIT_E_BROKEN: the anchor is not ours; or a fault. */
static int read_anchor(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                       AuditEnd *ret_begin) {
    const DbValue id = DB_BLOB(uuid_str(user_id));
    uint8_t tag[VAULT_HASH_LEN];
    const DbValue *row;
    int r = db_query_one(tx, &audit_statements[AUDIT_ANCHOR_GET], &id, arena, &row);

    if (r == DB_E_NONE) {
        *ret_begin = (AuditEnd){0};
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    anchor_tag(vault, user_id, row[0].integer, row[1].bytes, tag);
    *ret_begin = (AuditEnd){.seq = row[0].integer, .before = row[0].integer};
    if (row[0].integer < 1 || row[1].bytes.len != VAULT_HASH_LEN ||
        row[2].bytes.len != VAULT_HASH_LEN || !digest_equal(row[2].bytes.ptr, tag, sizeof(tag))) {
        return AUDIT_E_BROKEN;
    }
    memcpy(ret_begin->mac, row[1].bytes.ptr, VAULT_HASH_LEN);
    return 0;
}

/* A kept row that was cut off cannot be looked at any more, but for the last of them. */
static bool anchor_covers(const AuditEnd *begin, const AuditEnd *kept) {
    return kept->seq < begin->seq ||
           (kept->seq == begin->seq && digest_equal(kept->mac, begin->mac, sizeof(kept->mac)));
}

static int list_from(DbTx *tx, const Uuid *user_id, int64_t seq, Arena *arena, DbRows *ret_rows) {
    int r = db_query(tx, &audit_statements[AUDIT_FROM],
                     (DbValue[]){DB_BLOB(uuid_str(user_id)), DB_INT(seq), DB_INT(VERIFY_BATCH)},
                     VERIFY_BATCH, arena, ret_rows);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int check_batch(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Walk *walk = userdata;
    AuditEnd state = walk->from;
    DbRows rows = {0};
    int r = 0;

    if (state.seq == 0) {
        r = read_anchor(tx, walk->vault, walk->user_id, arena, &state);
        state.holds_kept =
            r == 0 && state.seq > 0 && walk->kept && anchor_covers(&state, walk->kept);
    }
    if (r == 0) {
        r = list_from(tx, walk->user_id, state.seq, arena, &rows);
    }
    if (r < 0) {
        return err_trace(r);
    }
    if (r == 0 && rows.n_rows == 0 && state.before > 0 && state.seq == state.before) {
        state.seq++; /* the last row is never cut off */
        r = AUDIT_E_BROKEN;
    }
    for (size_t i = 0; i < rows.n_rows && r == 0; i++) {
        uint8_t mac[VAULT_HASH_LEN];
        r = row_holds(walk, &state, db_rows_at(&rows, i, 0), mac) ? 0 : AUDIT_E_BROKEN;
        state.seq++;
        memcpy(state.mac, mac, sizeof(mac));
        if (r == 0 && walk->kept && walk->kept->seq == state.seq) {
            state.holds_kept = digest_equal(walk->kept->mac, mac, sizeof(mac));
        }
    }
    walk->to = state;
    walk->n_rows = rows.n_rows;
    return r;
}

int audit_verify(Db *db, const Vault *vault, const Uuid *user_id, const AuditEnd *kept,
                 AuditEnd *ret_end) {
    Walk walk = {.vault = vault, .user_id = user_id, .kept = kept};
    int r;

    do {
        walk.from = walk.to;
        r = db_read(db, NULL, check_batch, &walk);
        if (r < 0) {
            return err_trace(r);
        }
    } while (r == 0 && walk.n_rows == VERIFY_BATCH);
    *ret_end = walk.to;
    return r;
}

static int put_anchor(DbTx *tx, const Vault *vault, const Uuid *user_id, const AuditEnd *end) {
    Str mac = {(const char *)end->mac, sizeof(end->mac)};
    DbValue id = DB_BLOB(uuid_str(user_id));
    uint8_t tag[VAULT_HASH_LEN];
    int r;

    anchor_tag(vault, user_id, end->seq, mac, tag);
    r = db_exec(tx, &audit_statements[AUDIT_CUT], (DbValue[]){id, DB_INT(end->seq)}, NULL);
    if (r == 0) {
        r = db_exec(tx, &audit_statements[AUDIT_ANCHOR_PUT],
                    (DbValue[]){id, DB_INT(end->seq), DB_BLOB(mac),
                                DB_BLOB(((Str){(const char *)tag, sizeof(tag)}))},
                    NULL);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

int audit_cut(DbTx *tx, const Vault *vault, const Uuid *user_id, int64_t before_us, Arena *arena,
              uint64_t *ret_n, bool *ret_more) {
    Walk walk = {.vault = vault, .user_id = user_id};
    uint64_t n = 0;
    AuditEnd end;
    DbRows rows;
    int r = read_anchor(tx, vault, user_id, arena, &end);

    if (r == 0) {
        r = list_from(tx, user_id, end.seq, arena, &rows);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    /* The last one of the batch may be the last of all. */
    while (n + 1 < rows.n_rows && db_rows_at(&rows, n, 1)->integer < before_us) {
        uint8_t mac[VAULT_HASH_LEN];
        if (!row_holds(&walk, &end, db_rows_at(&rows, n, 0), mac)) {
            return AUDIT_E_BROKEN;
        }
        end.seq++;
        memcpy(end.mac, mac, sizeof(mac));
        n++;
    }
    r = n == 0 ? 0 : put_anchor(tx, vault, user_id, &end);
    if (r == 0) {
        *ret_n = n;
        *ret_more = n + 1 == VERIFY_BATCH;
    }
    return err_trace(r);
}

int audit_old(DbTx *tx, const Uuid *after, int64_t before_us, size_t max, Arena *arena,
              Uuid **ret_ids, size_t *ret_n) {
    return db_query_ids(tx, &audit_statements[AUDIT_OLD],
                        (DbValue[]){DB_INT(before_us), DB_BLOB(uuid_str(after)), DB_INT(max)}, max,
                        arena, ret_ids, ret_n);
}
