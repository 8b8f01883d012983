/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/audit_check.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/audit.h"

#include <stdlib.h>

#define USERS_BATCH   500
#define ENTRIES_BATCH 500

enum {
    TRAIL_LIST,
    TRAIL_IS_EXPECTED,
    _AUDIT_CHECK_STATEMENT_MAX,
};

const DbStatement audit_check_statements[_AUDIT_CHECK_STATEMENT_MAX] = {
    [TRAIL_LIST] = {"audit_trail_list",
                    "SELECT user_id FROM user_account WHERE user_id > ? "
                    "UNION SELECT user_id FROM user_audit WHERE user_id > ? "
                    "ORDER BY user_id LIMIT ?",
                    3, 1},
    [TRAIL_IS_EXPECTED] = {"audit_trail_is_expected",
                           "SELECT created_us FROM user_account WHERE user_id = ?", 1, 1},
};
const size_t audit_check_statements_len = _AUDIT_CHECK_STATEMENT_MAX;

/* Ids that the trail of nobody names as erased, as hashes. */
typedef struct Erased {
    uint8_t (*hashes)[DIGEST_LEN];
    size_t n, size;
} Erased;

typedef struct Checking {
    const AuditCheck *check;
    Arena *arena; /* the caller's */
    AuditResult *result;
    Erased erased;
    size_t heads_size;
    bool *seen; /* of each kept head: its trail was looked at */

    /* Of one transaction. */
    Arena *scratch;
    Uuid after;
    bool has_after;
    Uuid *users;
    size_t n_users;
    int64_t before_seq;
    AuditEntry *entries;
    size_t n_entries;
    bool expected;
} Checking;

const char *audit_erased_subject(const Uuid *user_id, Arena *arena) {
    uint8_t hash[DIGEST_LEN];
    char *hex = arena_alloc(arena, DIGEST_HEX_SIZE);

    digest_sha256(uuid_str(user_id), hash);
    hex_encode((Str){(const char *)hash, sizeof(hash)}, hex);
    return hex;
}

static int compare_hashes(const void *a, const void *b) {
    return memcmp(a, b, DIGEST_LEN);
}

static bool is_erased(const Checking *checking, const Uuid *user_id) {
    uint8_t hash[DIGEST_LEN];

    digest_sha256(uuid_str(user_id), hash);
    return checking->erased.n > 0 && bsearch(hash, checking->erased.hashes, checking->erased.n,
                                             DIGEST_LEN, compare_hashes) != NULL;
}

static int compare_heads(const void *a, const void *b) {
    const AuditHead *left = a, *right = b;

    return memcmp(left->user_id.bytes, right->user_id.bytes, sizeof(left->user_id.bytes));
}

static const AuditHead *find_head(const AuditHead *heads, size_t n, const Uuid *user_id) {
    const AuditHead wanted = {.user_id = *user_id};

    return n > 0 ? bsearch(&wanted, heads, n, sizeof(*heads), compare_heads) : NULL;
}

/* Grows an array in the arena to twice its size when it is full. */
static void *grow(Arena *arena, void *items, size_t n, size_t *size, size_t item_size) {
    void *larger;

    if (n < *size) {
        return items;
    }
    *size = MAX(*size * 2, (size_t)64);
    larger = arena_alloc(arena, *size * item_size);
    if (n > 0) {
        memcpy(larger, items, n * item_size);
    }
    return larger;
}

static void say(const Checking *checking, AuditFinding finding, const Uuid *user_id, int64_t seq) {
    checking->result->n_wrong++;
    checking->check->found(finding, user_id, seq, checking->check->userdata);
}

static void keep_head(Checking *checking, const Uuid *user_id, const AuditEnd *end) {
    AuditResult *result = checking->result;
    AuditHead head = {.user_id = *user_id, .seq = end->seq};

    memcpy(head.mac, end->mac, sizeof(head.mac));
    result->heads =
        grow(checking->arena, result->heads, result->n_heads, &checking->heads_size, sizeof(head));
    result->heads[result->n_heads++] = head;
}

static int look_for_account(DbTx *tx, void *userdata) {
    Checking *checking = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new(); /* the scratch of lists may be none yet */
    const DbValue *row;
    int r = db_query_one(tx, &audit_check_statements[TRAIL_IS_EXPECTED],
                         (DbValue[]){DB_BLOB(uuid_str(&checking->after))}, arena, &row);

    if (r != 0 && r != DB_E_NONE) {
        return err_trace(r < 0 ? r : -EIO);
    }
    checking->expected = r == 0;
    return 0;
}

/* A trail whose rows hold: whether it is also all there. */
static int check_end(Checking *checking, const Uuid *user_id, const AuditHead *kept,
                     const AuditEnd *end) {
    int r;

    if (kept && end->seq < kept->seq) {
        say(checking, AUDIT_FINDING_CUT, user_id, end->seq);
        return 0;
    }
    if (kept && kept->seq > 0 && !end->holds_kept) {
        say(checking, AUDIT_FINDING_OTHER, user_id, kept->seq);
        return 0;
    }
    if (end->seq == 0) {
        checking->after = *user_id;
        r = db_read(checking->check->db, NULL, look_for_account, checking);
        if (r < 0) {
            return err_trace(r);
        }
        if (checking->expected) {
            say(checking, AUDIT_FINDING_MISSING, user_id, 0);
        }
        return 0;
    }
    keep_head(checking, user_id, end);
    return 0;
}

static int check_trail(Checking *checking, const Uuid *user_id) {
    const AuditCheck *check = checking->check;
    const AuditHead *kept = find_head(check->kept, check->n_kept, user_id);
    AuditEnd wanted = {0}, end;
    int r;

    if (kept) {
        checking->seen[kept - check->kept] = true;
        wanted.seq = kept->seq;
        memcpy(wanted.mac, kept->mac, sizeof(wanted.mac));
    }
    if (is_erased(checking, user_id)) {
        return 0;
    }
    r = audit_verify(check->db, check->vault, user_id, kept ? &wanted : NULL, &end);
    if (r < 0) {
        return err_trace(r);
    }
    checking->result->n_trails += end.seq > 0;
    if (r == AUDIT_E_BROKEN) {
        checking->result->n_rows += (uint64_t)(end.seq - end.before) - 1;
        say(checking, AUDIT_FINDING_BROKEN, user_id, end.seq);
        return 0;
    }
    checking->result->n_rows += (uint64_t)(end.seq - end.before);
    r = check_end(checking, user_id, kept, &end);
    return r < 0 ? err_trace(r) : 0;
}

static int read_entries(DbTx *tx, void *userdata) {
    Checking *checking = userdata;
    int r = audit_list(tx, vault_service_key(checking->check->vault), checking->before_seq,
                       ENTRIES_BATCH, checking->scratch, &checking->entries, &checking->n_entries);

    return r < 0 ? err_trace(r) : 0;
}

static void note_erased(Checking *checking, const AuditEvent *event) {
    Erased *erased = &checking->erased;
    uint8_t hash[DIGEST_LEN];

    if (strcmp(event->action, AUDIT_ACTION_ERASED) != 0 || !event->subject ||
        strlen(event->subject) != 2 * sizeof(hash) ||
        hex_decode(str_from(event->subject), hash, sizeof(hash)) < 0) {
        return;
    }
    erased->hashes = grow(checking->arena, erased->hashes, erased->n, &erased->size, DIGEST_LEN);
    memcpy(erased->hashes[erased->n++], hash, DIGEST_LEN);
}

/* What the trail of nobody says of users who are gone: believed only when it holds. */
static int read_erased(Checking *checking) {
    static const Uuid nobody;
    uint64_t wrong = checking->result->n_wrong;
    int r = check_trail(checking, &nobody);

    if (r < 0 || checking->result->n_wrong > wrong) {
        return r < 0 ? err_trace(r) : 0;
    }
    do {
        _cleanup_(arena_freep) Arena *scratch = arena_new();
        checking->scratch = scratch;
        r = db_read(checking->check->db, NULL, read_entries, checking);
        if (r < 0) {
            return err_trace(r);
        }
        for (size_t i = 0; i < checking->n_entries; i++) {
            note_erased(checking, &checking->entries[i].event);
            checking->before_seq = checking->entries[i].seq;
        }
    } while (checking->n_entries == ENTRIES_BATCH);
    if (checking->erased.n > 0) {
        qsort(checking->erased.hashes, checking->erased.n, DIGEST_LEN, compare_hashes);
    }
    return 0;
}

static int read_users(DbTx *tx, void *userdata) {
    Checking *checking = userdata;
    Str after = checking->has_after ? uuid_str(&checking->after) : str_lit("");

    return db_query_ids(tx, &audit_check_statements[TRAIL_LIST],
                        (DbValue[]){DB_BLOB(after), DB_BLOB(after), DB_INT(USERS_BATCH)},
                        USERS_BATCH, checking->scratch, &checking->users, &checking->n_users);
}

static int check_all(Checking *checking) {
    Uuid last = {0};

    do {
        _cleanup_(arena_freep) Arena *scratch = arena_new();
        int r;
        checking->scratch = scratch;
        checking->after = last;
        r = db_read(checking->check->db, NULL, read_users, checking);
        if (r < 0) {
            return err_trace(r);
        }
        for (size_t i = 0; i < checking->n_users; i++) {
            last = checking->users[i];
            /* Nobody's has been checked already. */
            r = uuid_is_nil(&last) ? 0 : check_trail(checking, &last);
            if (r < 0) {
                return err_trace(r);
            }
        }
        checking->has_after = true;
    } while (checking->n_users == USERS_BATCH);
    return 0;
}

/* Trails that a head was kept of and that no row and no account leads to. */
static int check_vanished(Checking *checking) {
    const AuditCheck *check = checking->check;

    for (size_t i = 0; i < check->n_kept; i++) {
        int r = checking->seen[i] ? 0 : check_trail(checking, &check->kept[i].user_id);
        if (r < 0) {
            return err_trace(r);
        }
    }
    return 0;
}

int audit_check(const AuditCheck *check, Arena *arena, AuditResult *ret_result) {
    AuditResult result = {0};
    Checking checking = {.check = check, .arena = arena, .result = &result};
    int r;

    checking.seen = arena_alloc(arena, check->n_kept + 1);
    memset(checking.seen, 0, check->n_kept + 1);
    r = read_erased(&checking);
    if (r == 0 && check->only) {
        r = check_trail(&checking, check->only);
    } else if (r == 0) {
        r = check_all(&checking);
        r = r < 0 ? r : check_vanished(&checking);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_result = result;
    return 0;
}
