/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The audit trail, the table user_audit: acts that matter for security, appended in the transaction
 * that does them and never changed. Each user has a chain of their own; a row's mac covers the
 * row before it, so that a row that was changed, taken out or put in between shows. (Rows cut off
 * at the end show only against a copy of the last mac.) Details are sealed under the user's key.
 *
 * Rows that were kept long enough are cut off at the beginning; then the table user_audit_anchor
 * has the mac of the last of them, with a tag that only we can make, and the chain begins there.
 */

#include "services/user/vault.h"

typedef struct AuditEvent {
    const char *action;                    /* "session.created": ours, static */
    const char *address, *agent, *session; /* of who did it; NULL: not known */
    const char *subject;                   /* what it was done to, or NULL */
} AuditEvent;

extern const DbStatement audit_statements[];
extern const size_t audit_statements_len;

int audit_append(DbTx *tx, const Vault *vault, const UserKey *key, int64_t now_us, Arena *arena,
                 const AuditEvent *event);

typedef struct AuditEntry {
    int64_t seq, at_us;
    AuditEvent event;
} AuditEntry;

/* The newest first, from below `before_seq` (0: the newest of all), at most `max`. */
int audit_list(DbTx *tx, const UserKey *key, int64_t before_seq, size_t max, Arena *arena,
               AuditEntry **ret_entries, size_t *ret_n);
/* The same from the oldest on, from above `after_seq` (0: the oldest of all). */
int audit_list_after(DbTx *tx, const UserKey *key, int64_t after_seq, size_t max, Arena *arena,
                     AuditEntry **ret_entries, size_t *ret_n);

enum {
    AUDIT_E_BROKEN = 1, /* the chain does not hold at ret_end->seq */
};

/* Where a walk along a chain stands: the last row that held, or the first that did not. */
typedef struct AuditEnd {
    int64_t seq;    /* 0: there is no row */
    int64_t before; /* rows that were cut off at the beginning: audit_cut() */
    uint8_t mac[VAULT_HASH_LEN];
    bool holds_kept; /* the row kept->seq was passed, with that mac */
} AuditEnd;

/*
 * Walks the whole chain of a user, whose key is not needed. `kept` may be NULL: a row that is to be
 * looked for on the way; one that was cut off meanwhile counts as passed. 0, AUDIT_E_BROKEN, or a
 * fault; *ret_end is given on the first two.
 */
int audit_verify(Db *db, const Vault *vault, const Uuid *user_id, const AuditEnd *kept,
                 AuditEnd *ret_end);

/*
 * In a transaction: cuts off rows at the beginning of a chain that are from before `before_us`, but
 * never the last row, and no more than some hundred: *ret_more, whether to call it again. Rows are
 * only cut off when they hold: else AUDIT_E_BROKEN, and they stay. *ret_n counts them.
 */
int audit_cut(DbTx *tx, const Vault *vault, const Uuid *user_id, int64_t before_us, Arena *arena,
              uint64_t *ret_n, bool *ret_more);
/* Up to `max` users after `after` who have rows from before `before_us`, in their order; the trail
 * of nobody is not among them: it says who was erased. */
int audit_old(DbTx *tx, const Uuid *after, int64_t before_us, size_t max, Arena *arena,
              Uuid **ret_ids, size_t *ret_n);
