/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who may call, and what is left to them: API keys with their credits, rate budget and caps.
 * Read from the configuration and kept in memory, so a restart brings balances and caps back to
 * what the configuration says. Thread-safe.
 *
 * Credits are counted in hundredths, never in floating point. A call reserves its price before the
 * work starts and then settles it: charged when it succeeded, given back when not. So a failed call
 * costs nothing, and calls in parallel cannot spend the same credit twice.
 */

#include "base/str.h"
#include "services/image/rate_limit.h"

#define CREDIT 100u /* one credit, in hundredths */

typedef struct Accounts Accounts;
typedef struct Account Account;

/* Caps a calendar day or month (UTC), each counted for itself. */
typedef enum UsageCap {
    USAGE_CAP_IMPROVE_DAY,
    USAGE_CAP_SANDBOX_DAY,
    USAGE_CAP_SANDBOX_MONTH,
    _USAGE_CAP_MAX,
} UsageCap;

/*
 * `keys` is "key[:credits],..." with up to two decimals; a key without a number is unlimited.
 * `per_minute` is each key's rate budget, `anonymous_per_minute` the one that all without a key
 * share; 0 is no limit. 0, or -EINVAL with a whole sentence in *reterr (a literal, which never
 * quotes a key).
 */
int accounts_new(const char *keys, uint32_t per_minute, uint32_t anonymous_per_minute,
                 Accounts **ret_accounts, const char **reterr);
Accounts *accounts_free(Accounts *accounts);
DEFINE_CLEANUP(Accounts *, accounts_free)

/*
 * The account of a key, or NULL. Takes the same time whichever key matches or none: digests are
 * compared, all of them, in constant time.
 */
Account *accounts_find(Accounts *accounts, Str key);

/* The account of callers without a key, where they are let in: no credits, the same rate budget. */
Account *accounts_anonymous(Accounts *accounts);

/* The first 8 hex digits of the key's SHA-256, for the log; "-" for the anonymous one. */
const char *account_fingerprint(const Account *account);

/* False: unlimited. Else what may still be spent: the balance less what is reserved. */
bool account_available(Account *account, uint64_t *ret_hundredths);

/* True: `cost` is set aside until account_settle() of the same cost. False: not enough is left. */
bool account_reserve(Account *account, uint64_t cost);
void account_settle(Account *account, uint64_t cost, bool charge);

/* rate_limit_take() of the account's budget. */
RateState account_rate_take(Account *account, uint32_t paid, uint32_t cost, uint64_t now_ms);

/* Counts one more use; false when `max` are used up, until *ret_wait_s seconds have passed. */
bool account_cap_take(Account *account, UsageCap cap, uint32_t max, int64_t now_unix_s,
                      uint32_t *ret_wait_s);
