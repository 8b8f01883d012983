/* SPDX-License-Identifier: Apache-2.0 */
#include "services/image/accounts.h"

#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <pthread.h>
#include <time.h>

#define ACCOUNTS_MAX 10000
#define KEY_LEN_MAX  256
#define DAY_S        86400
/* Keeps sums of hundredths far from overflow. */
#define CREDITS_MAX 1000000000000u

struct Account {
    pthread_mutex_t lock;
    uint8_t digest[DIGEST_LEN];
    char fingerprint[9];
    bool limited;
    uint64_t balance, reserved; /* hundredths */
    RateLimit rate;
    struct {
        int64_t until; /* when the day or month ends that `used` is of */
        uint32_t used;
    } caps[_USAGE_CAP_MAX];
};

struct Accounts {
    Account *keyed;
    size_t n_keyed;
    Account anonymous;
};

/* "12", "12.5" or "12.25" in hundredths. */
static int parse_credits(Str text, uint64_t *ret_hundredths) {
    Str whole, fraction = text;
    uint64_t credits = 0, hundredths = 0;

    if (!str_next_token(&fraction, ".", &whole) || str_to_u64(whole, &credits) < 0 ||
        credits > CREDITS_MAX) {
        return -EINVAL;
    }
    if (whole.len < text.len) {
        if (fraction.len < 1 || fraction.len > 2 || str_to_u64(fraction, &hundredths) < 0) {
            return -EINVAL;
        }
        hundredths *= fraction.len == 1 ? 10 : 1;
    }
    *ret_hundredths = credits * CREDIT + hundredths;
    return 0;
}

static void account_init(Account *account, uint32_t per_minute) {
    pthread_mutex_init(&account->lock, NULL);
    rate_limit_init(&account->rate, per_minute, clock_mono_ms());
    memcpy(account->fingerprint, "-", 2);
}

static int parse_key(Str entry, Account *account, const char **reterr) {
    Str key, credits = entry;

    if (!str_next_token(&credits, ":", &key) || key.len == 0 || key.len > KEY_LEN_MAX) {
        *reterr = "api-keys: a key is empty or longer than 256 bytes; expected key[:credits],...";
        return -EINVAL;
    }
    if (key.len < entry.len) {
        account->limited = true;
        if (parse_credits(credits, &account->balance) < 0) {
            *reterr = "api-keys: what follows ':' is not an amount of credits such as 100 or 12.25";
            return -EINVAL;
        }
    }
    digest_sha256(key, account->digest);
    hex_encode((Str){(const char *)account->digest, 4}, account->fingerprint);
    return 0;
}

static size_t count_entries(Str keys) {
    size_t count = 0;
    Str entry;

    while (str_next_token(&keys, ",", &entry)) {
        count += str_trim(entry).len > 0;
    }
    return count;
}

int accounts_new(const char *keys, uint32_t per_minute, uint32_t anonymous_per_minute,
                 Accounts **ret_accounts, const char **reterr) {
    _cleanup_(accounts_freep) Accounts *accounts = calloc(1, sizeof(*accounts));
    Str rest = str_from(keys), entry;
    size_t count = count_entries(rest);

    if (!accounts) {
        return -ENOMEM;
    }
    account_init(&accounts->anonymous, anonymous_per_minute);
    if (count > ACCOUNTS_MAX) {
        *reterr = "api-keys: more than 10000 keys";
        return -EINVAL;
    }
    accounts->keyed = calloc(MAX(count, 1u), sizeof(Account));
    if (!accounts->keyed) {
        return -ENOMEM;
    }
    while (str_next_token(&rest, ",", &entry)) {
        Account *account = &accounts->keyed[accounts->n_keyed];
        entry = str_trim(entry);
        if (entry.len == 0) {
            continue;
        }
        account_init(account, per_minute);
        accounts->n_keyed++;
        if (parse_key(entry, account, reterr) < 0) {
            return -EINVAL;
        }
    }
    *ret_accounts = TAKE_PTR(accounts);
    return 0;
}

Accounts *accounts_free(Accounts *accounts) {
    if (!accounts) {
        return NULL;
    }
    for (size_t i = 0; i < accounts->n_keyed; i++) {
        pthread_mutex_destroy(&accounts->keyed[i].lock);
    }
    pthread_mutex_destroy(&accounts->anonymous.lock);
    secret_wipe(accounts->keyed, accounts->n_keyed * sizeof(Account));
    free(accounts->keyed);
    free(accounts);
    return NULL;
}

Account *accounts_find(Accounts *accounts, Str key) {
    uint8_t digest[DIGEST_LEN];
    Account *found = NULL;

    if (key.len == 0 || key.len > KEY_LEN_MAX) {
        return NULL;
    }
    digest_sha256(key, digest);
    for (size_t i = 0; i < accounts->n_keyed; i++) {
        Account *account = &accounts->keyed[i];
        found = digest_equal(account->digest, digest, DIGEST_LEN) ? account : found;
    }
    return found;
}

Account *accounts_anonymous(Accounts *accounts) {
    return &accounts->anonymous;
}

const char *account_fingerprint(const Account *account) {
    return account->fingerprint;
}

bool account_available(Account *account, uint64_t *ret_hundredths) {
    if (!account->limited) {
        return false;
    }
    pthread_mutex_lock(&account->lock);
    *ret_hundredths = account->balance - account->reserved;
    pthread_mutex_unlock(&account->lock);
    return true;
}

bool account_reserve(Account *account, uint64_t cost) {
    bool enough;

    if (!account->limited) {
        return true;
    }
    pthread_mutex_lock(&account->lock);
    enough = account->balance - account->reserved >= cost;
    account->reserved += enough ? cost : 0;
    pthread_mutex_unlock(&account->lock);
    return enough;
}

void account_settle(Account *account, uint64_t cost, bool charge) {
    if (!account->limited) {
        return;
    }
    pthread_mutex_lock(&account->lock);
    account->reserved -= cost;
    account->balance -= charge ? cost : 0;
    pthread_mutex_unlock(&account->lock);
}

RateState account_rate_take(Account *account, uint32_t paid, uint32_t cost, uint64_t now_ms) {
    RateState state;

    pthread_mutex_lock(&account->lock);
    state = rate_limit_take(&account->rate, paid, cost, now_ms);
    pthread_mutex_unlock(&account->lock);
    return state;
}

static int64_t period_end(UsageCap cap, int64_t now_unix_s) {
    time_t now = (time_t)now_unix_s;
    struct tm month;

    if (cap != USAGE_CAP_SANDBOX_MONTH) {
        return (now_unix_s / DAY_S + 1) * DAY_S;
    }
    gmtime_r(&now, &month);
    /* A thirteenth month is the next January. */
    month = (struct tm){.tm_year = month.tm_year, .tm_mon = month.tm_mon + 1, .tm_mday = 1};
    return (int64_t)timegm(&month);
}

bool account_cap_take(Account *account, UsageCap cap, uint32_t max, int64_t now_unix_s,
                      uint32_t *ret_wait_s) {
    int64_t end = period_end(cap, now_unix_s);
    bool granted;

    pthread_mutex_lock(&account->lock);
    if (account->caps[cap].until != end) {
        account->caps[cap].until = end;
        account->caps[cap].used = 0;
    }
    granted = account->caps[cap].used < max;
    account->caps[cap].used += granted;
    pthread_mutex_unlock(&account->lock);
    if (!granted) {
        *ret_wait_s = (uint32_t)(end - now_unix_s);
    }
    return granted;
}
