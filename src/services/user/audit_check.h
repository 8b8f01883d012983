/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Walks the audit trails of all users and finds what was changed, taken out or put in between. Rows
 * that were cut off at the end leave a chain that holds: they show only against heads, which are
 * the last row's number and mac of each trail, kept where whoever changes the database cannot.
 *
 * A whole trail may go with its user when that user is erased; then the trail of nobody (the nil
 * UUID), which is checked first, says so. Rows of such a user that are left are skipped.
 */

#include "services/user/vault.h"

/* The last row of a trail; seq 0: there is none. */
typedef struct AuditHead {
    Uuid user_id;
    int64_t seq;
    uint8_t mac[VAULT_HASH_LEN];
} AuditHead;

typedef enum AuditFinding {
    AUDIT_FINDING_BROKEN,  /* the row `seq` was changed, or one is missing or too many there */
    AUDIT_FINDING_MISSING, /* there is an account, but no row */
    AUDIT_FINDING_CUT,     /* the trail ends at `seq`, before the head that was kept */
    AUDIT_FINDING_OTHER,   /* the row `seq` is another than the head that was kept */
} AuditFinding;

typedef struct AuditCheck {
    Db *db;
    const Vault *vault;
    const Uuid *only;      /* of this user alone; NULL: of all */
    const AuditHead *kept; /* to compare with, sorted by user; may be NULL */
    size_t n_kept;
    void (*found)(AuditFinding finding, const Uuid *user_id, int64_t seq, void *userdata);
    void *userdata;
} AuditCheck;

typedef struct AuditResult {
    AuditHead *heads; /* of the trails that hold, sorted by user; in the arena */
    size_t n_heads;
    uint64_t n_rows, n_trails, n_wrong; /* rows that hold; trails looked at; wrong ones */
} AuditResult;

extern const DbStatement audit_check_statements[];
extern const size_t audit_check_statements_len;

/* 0, also when there is something wrong (see n_wrong), or a fault. */
int audit_check(const AuditCheck *check, Arena *arena, AuditResult *ret_result);

/* What the trail of nobody says when a user is erased, and of whom: SHA-256 of the id in hex. */
#define AUDIT_ACTION_ERASED "account.erased"
const char *audit_erased_subject(const Uuid *user_id, Arena *arena);
