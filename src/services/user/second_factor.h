/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One-time codes (TOTP) and the recovery codes for when the phone is gone. */

#include "services/user/account_store.h"
#include "services/user/call.h"

#define RECOVERY_CODES 10

extern const DbStatement recovery_statements[];
extern const size_t recovery_statements_len;

enum {
    SECOND_FACTOR_E_MISSING = 100, /* the account has one and no code was sent */
    SECOND_FACTOR_E_WRONG,
};

/*
 * In a transaction: whether `code` (NULL: none was sent) is good for that account. A TOTP step and
 * a recovery code are used up by it; the caller writes the account back. `methods` gains the bit
 * of what was used. 0 when the account has no second factor, too.
 */
int second_factor_use(DbTx *tx, UserCall *call, Account *account, const char *code,
                      uint32_t *methods);
