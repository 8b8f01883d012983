/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who may call, and what is left to them: API keys with their credits, rate budget and caps.
 * Those of the configuration are kept in memory, so a restart brings their balances back to what
 * it says. Those of users are the user service's (core/contracts/access.h): only their rate budget
 * and caps are kept here, and account_find_user(), _available(), _reserve() and _settle() wait for
 * that service. Thread-safe.
 *
 * Credits are counted in hundredths, never in floating point. A call reserves its price before the
 * work starts and then settles it: charged when it succeeded, given back when not. So a failed call
 * costs nothing, and calls in parallel cannot spend the same credit twice.
 */

#include "base/str.h"
#include "core/contracts/access.h"
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

/* Where users' keys are looked up; before the first request. */
void accounts_set_access(Accounts *accounts, Access *access);

enum {
    ACCOUNT_E_UNKNOWN = 1, /* accounts_find_user(): no key of a user's */
    ACCOUNT_E_UNLIMITED,   /* account_available() */
    ACCOUNT_E_CREDITS,     /* account_reserve(): not enough is left */
};

/*
 * The account of a user's key, with what the key may do (ACCESS_SCOPE_ bits), until
 * account_release(). 0, ACCOUNT_E_UNKNOWN, or a fault.
 */
int accounts_find_user(Accounts *accounts, Str key, Account **ret_account, uint32_t *ret_scopes);
/* Accepts any account, and NULL. */
void account_release(Account *account);
/* Whether it is a user's, so that asking for its credits waits. */
bool account_is_users(const Account *account);

/* For the log: the first 8 hex digits of the key's SHA-256, a user's key's id, or "-" for the
 * anonymous one. */
const char *account_fingerprint(const Account *account);

/* What may still be spent: the balance less what is reserved. 0, ACCOUNT_E_UNLIMITED, or a fault.
 */
int account_available(Account *account, uint64_t *ret_hundredths);

/* Sets `cost` aside until account_settle() of the same id and cost. 0, ACCOUNT_E_CREDITS, a fault.
 */
int account_reserve(Account *account, const Uuid *id, uint64_t cost);
/* 0; ACCESS_E_GONE: a user's reservation that took too long, and is not charged; or a fault. */
int account_settle(Account *account, const Uuid *id, uint64_t cost, bool charge);

/* How the user service names that, of a user's account. */
AccessReservation account_reservation(const Account *account, const Uuid *id, uint64_t cost);

/* rate_limit_take() of the account's budget. */
RateState account_rate_take(Account *account, uint32_t paid, uint32_t cost, uint64_t now_ms);

/* Counts one more use; false when `max` are used up, until *ret_wait_s seconds have passed. */
bool account_cap_take(Account *account, UsageCap cap, uint32_t max, int64_t now_unix_s,
                      uint32_t *ret_wait_s);
