/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The audit trail, the table user_audit: acts that matter for security, appended in the transaction
 * that does them and never changed. Each user has a chain of their own; a row's mac covers the
 * row before it, so that a row that was changed, taken out or put in between shows. (Rows cut off
 * at the end show only against a copy of the last mac.) Details are sealed under the user's key.
 */

#include "services/user/vault.h"

typedef struct AuditEvent {
    const char *action;                    /* "session.created": ours, static */
    const char *address, *agent, *session; /* of who did it; NULL: not known */
    const char *subject;                   /* what it was done to, or NULL */
} AuditEvent;

extern const DbStatement audit_statements[];
extern const size_t audit_statements_len;

int audit_append(DbTx *tx, const Vault *vault, const VaultKey *key, int64_t now_us, Arena *arena,
                 const AuditEvent *event);

typedef struct AuditEntry {
    int64_t seq, at_us;
    AuditEvent event;
} AuditEntry;

/* The newest first, from below `before_seq` (0: the newest of all), at most `max`. */
int audit_list(DbTx *tx, const VaultKey *key, int64_t before_seq, size_t max, Arena *arena,
               AuditEntry **ret_entries, size_t *ret_n);
/* The same from the oldest on, from above `after_seq` (0: the oldest of all). */
int audit_list_after(DbTx *tx, const VaultKey *key, int64_t after_seq, size_t max, Arena *arena,
                     AuditEntry **ret_entries, size_t *ret_n);

enum {
    AUDIT_E_BROKEN = 1, /* the chain does not hold at ret_end->seq */
};

/* Where a walk along a chain stands: the last row that held, or the first that did not. */
typedef struct AuditEnd {
    int64_t seq; /* 0: there is no row */
    uint8_t mac[VAULT_HASH_LEN];
    bool holds_kept; /* the row kept->seq was passed, with that mac */
} AuditEnd;

/*
 * Walks the whole chain of a user, whose key is not needed. `kept` may be NULL: a row that is to be
 * looked for on the way. 0, AUDIT_E_BROKEN, or a fault; *ret_end is given on the first two.
 */
int audit_verify(Db *db, const Vault *vault, const Uuid *user_id, const AuditEnd *kept,
                 AuditEnd *ret_end);
