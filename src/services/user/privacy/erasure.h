/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The end of an account (GDPR, article 17). Its owner or an operator asks for it; until its day
 * comes nothing of the account works but signing in, which calls it off. Then the account is
 * locked, the sync service erases the library (docs/decisions/0020), and all rows of the user and
 * the user's key are deleted in one transaction, which leaves the trail of nobody an entry and the
 * table user_erasure_receipt a receipt. That goes out by mail. Each of these may be done again,
 * by whoever comes after a server that died.
 */

#include "services/user/account_store.h"
#include "services/user/audit.h"
#include "services/user/housekeeping.h"

typedef struct ErasureRequest {
    Uuid user_id;
    int64_t now_us, erase_us;
    AuditEvent event; /* from where, and who when it is not the owner; its action is set here */
    Arena *arena;

    /* What came of it, in the arena; sessions and keys to be taken out of the cache. */
    const char *email; /* NULL: the account's key is gone, and it cannot be read */
    Uuid *session_ids, *key_ids;
    size_t n_sessions, n_keys;
} ErasureRequest;

enum {
    ERASURE_E_NONE = 1,   /* no such account */
    ERASURE_E_LAST_ADMIN, /* nobody else is an admin */
};

/* In a transaction. A locked account stays locked, so that signing in does not call it off; one
 * whose key is gone is due at once. */
int erasure_request(DbTx *tx, const Vault *vault, ErasureRequest *request);

/* In a transaction: of an account that is to be erased and not locked; the caller writes it. */
int erasure_call_off(DbTx *tx, const Vault *vault, Arena *arena, Account *account, int64_t now_us,
                     const AuditEvent *from);

/* The chore, which DELETE /v1/me wakes when there is no time to wait for. */
#define ERASURE_CHORE "erasure"
HousekeepingWork erasure_run;
