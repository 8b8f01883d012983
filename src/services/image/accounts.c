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
#define USER_BUCKETS 4096
/* Beyond it the one unused for longest in its bucket makes room. */
#define USER_ACCOUNTS_MAX 50000
/* Keeps sums of hundredths far from overflow. */
#define CREDITS_MAX 1000000000000u

struct Account {
    pthread_mutex_t lock;
    uint8_t digest[DIGEST_LEN];
    char fingerprint[UUID_TEXT_SIZE];
    Access *access; /* a user's; NULL: of the configuration */
    AccessKey key;  /* a user's */
    struct UserAccounts *home;
    Account *next;       /* in its bucket */
    unsigned references; /* under home->lock */
    uint64_t used_ms;    /* under home->lock */
    bool limited;
    uint64_t balance, reserved; /* hundredths */
    RateLimit rate;
    struct {
        int64_t until; /* when the day or month ends that `used` is of */
        uint32_t used;
    } caps[_USAGE_CAP_MAX];
};

/* Of keys that were seen lately, so that their budgets are remembered. */
typedef struct UserAccounts {
    pthread_mutex_t lock;
    Account *buckets[USER_BUCKETS];
    size_t count;
} UserAccounts;

struct Accounts {
    Access *access;
    uint32_t per_minute;
    UserAccounts users;
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
    pthread_mutex_init(&accounts->users.lock, NULL);
    accounts->per_minute = per_minute;
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

static void user_free(Account *account) {
    pthread_mutex_destroy(&account->lock);
    free(account);
}

static void users_done(UserAccounts *users) {
    for (size_t i = 0; i < USER_BUCKETS; i++) {
        while (users->buckets[i]) {
            Account *account = users->buckets[i];
            users->buckets[i] = account->next;
            user_free(account);
        }
    }
    pthread_mutex_destroy(&users->lock);
}

Accounts *accounts_free(Accounts *accounts) {
    if (!accounts) {
        return NULL;
    }
    for (size_t i = 0; i < accounts->n_keyed; i++) {
        pthread_mutex_destroy(&accounts->keyed[i].lock);
    }
    pthread_mutex_destroy(&accounts->anonymous.lock);
    users_done(&accounts->users);
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

void accounts_set_access(Accounts *accounts, Access *access) {
    accounts->access = access;
}

/* The end of a UUIDv7 is random. */
static size_t bucket_of(const Uuid *key_id) {
    return ((size_t)key_id->bytes[14] << 8 | key_id->bytes[15]) % USER_BUCKETS;
}

/* Under the lock. */
static void make_room(UserAccounts *users, Account **bucket) {
    Account **oldest = NULL;

    for (Account **at = bucket; *at; at = &(*at)->next) {
        if ((*at)->references == 0 && (!oldest || (*at)->used_ms < (*oldest)->used_ms)) {
            oldest = at;
        }
    }
    if (oldest) {
        Account *gone = *oldest;
        *oldest = gone->next;
        users->count--;
        user_free(gone);
    }
}

/* Under the lock. */
static Account *user_add(Accounts *accounts, Account **bucket, const AccessKey *key) {
    Account *account = calloc(1, sizeof(*account));

    if (!account) {
        abort();
    }
    account_init(account, accounts->per_minute);
    account->limited = true;
    account->access = accounts->access;
    account->key = *key;
    account->home = &accounts->users;
    uuid_text(&key->key_id, account->fingerprint);
    account->next = *bucket;
    *bucket = account;
    accounts->users.count++;
    return account;
}

int accounts_find_user(Accounts *accounts, Str text, Account **ret_account, uint32_t *ret_scopes) {
    UserAccounts *users = &accounts->users;
    Account **bucket, *account;
    AccessKey key;
    int r = accounts->access ? access_find_key(accounts->access, text, &key) : ACCESS_E_NONE;

    if (r != 0) {
        return r == ACCESS_E_NONE ? ACCOUNT_E_UNKNOWN : err_trace(r);
    }
    bucket = &users->buckets[bucket_of(&key.key_id)];
    pthread_mutex_lock(&users->lock);
    for (account = *bucket; account; account = account->next) {
        if (uuid_equal(&account->key.key_id, &key.key_id)) {
            break;
        }
    }
    if (!account) {
        if (users->count >= USER_ACCOUNTS_MAX) {
            make_room(users, bucket);
        }
        account = user_add(accounts, bucket, &key);
    }
    account->references++;
    account->used_ms = clock_mono_ms();
    pthread_mutex_unlock(&users->lock);
    *ret_account = account;
    *ret_scopes = key.scopes;
    return 0;
}

void account_release(Account *account) {
    if (account && account->home) {
        pthread_mutex_lock(&account->home->lock);
        account->references--;
        pthread_mutex_unlock(&account->home->lock);
    }
}

bool account_is_users(const Account *account) {
    return account && account->access;
}

Account *accounts_anonymous(Accounts *accounts) {
    return &accounts->anonymous;
}

const char *account_fingerprint(const Account *account) {
    return account->fingerprint;
}

int account_available(Account *account, uint64_t *ret_hundredths) {
    if (account->access) {
        return err_trace(access_credits(account->access, &account->key.user_id, ret_hundredths));
    }
    if (!account->limited) {
        return ACCOUNT_E_UNLIMITED;
    }
    pthread_mutex_lock(&account->lock);
    *ret_hundredths = account->balance - account->reserved;
    pthread_mutex_unlock(&account->lock);
    return 0;
}

AccessReservation account_reservation(const Account *account, const Uuid *id, uint64_t cost) {
    return (AccessReservation){account->key.user_id, *id, cost};
}

int account_reserve(Account *account, const Uuid *id, uint64_t cost) {
    bool enough;

    if (account->access) {
        const AccessReservation reservation = account_reservation(account, id, cost);
        int r = access_reserve(account->access, &reservation);
        return r == ACCESS_E_CREDITS ? ACCOUNT_E_CREDITS : err_trace(r);
    }
    if (!account->limited) {
        return 0;
    }
    pthread_mutex_lock(&account->lock);
    enough = account->balance - account->reserved >= cost;
    account->reserved += enough ? cost : 0;
    pthread_mutex_unlock(&account->lock);
    return enough ? 0 : ACCOUNT_E_CREDITS;
}

int account_settle(Account *account, const Uuid *id, uint64_t cost, bool charge) {
    if (account->access) {
        const AccessReservation reservation = account_reservation(account, id, cost);
        return charge ? access_charge(account->access, &reservation)
                      : access_release(account->access, &reservation);
    }
    if (!account->limited) {
        return 0;
    }
    pthread_mutex_lock(&account->lock);
    account->reserved -= cost;
    account->balance -= charge ? cost : 0;
    pthread_mutex_unlock(&account->lock);
    return 0;
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
