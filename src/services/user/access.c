/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/access.h"

#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/api_key_store.h"
#include "services/user/credit_store.h"

#define LOAD_WAIT_MS 10000
#define USED_STEP_MS 60000
#define SETTLE_TRIES 3

typedef struct Lookup {
    UserService *service;
    Uuid user_id, key_id;
    Arena *arena;
    ApiKey key;
    int64_t now_us;
} Lookup;

static UserService *service_of(Access *self) {
    return ((UserAccess *)self)->service;
}

static int read_key(DbTx *tx, void *userdata) {
    Lookup *lookup = userdata;

    return api_key_store_get(tx, &lookup->user_id, &lookup->key_id, lookup->arena, &lookup->key);
}

static int load_key(void *userdata, Arena *arena, Str *ret_value) {
    Lookup *lookup = userdata;
    AccessKeyRecord *cached;
    int r;

    lookup->arena = arena;
    r = db_read(lookup->service->options.db, NULL, read_key, lookup);
    if (r != 0) {
        return r == API_KEY_E_NONE ? READ_THROUGH_E_NONE : err_trace(r);
    }
    cached = arena_alloc(arena, sizeof(*cached)); /* zeroed, padding too: it is written out */
    memcpy(cached->secret_hash, lookup->key.secret_hash, VAULT_HASH_LEN);
    cached->scopes = lookup->key.scopes;
    cached->expires_us = lookup->key.expires_us;
    cached->used_us = lookup->key.used_us;
    *ret_value = (Str){(const char *)cached, sizeof(*cached)};
    return 0;
}

static int write_used(DbTx *tx, void *userdata) {
    Lookup *lookup = userdata;

    return api_key_store_used(tx, &lookup->user_id, &lookup->key_id, lookup->now_us);
}

/* Once a minute, by one of those who use the key. */
static int mark_used(Lookup *lookup, int64_t used_us) {
    _cleanup_(buf_done) Buf name = BUF_INIT;
    char key_id[UUID_TEXT_SIZE];
    int r;

    uuid_text(&lookup->key_id, key_id);
    buf_addf(&name, "api-key-used/%s", key_id);
    if (lookup->now_us - used_us < USED_STEP_MS * 1000ll ||
        cache_add(lookup->service->options.cache, buf_str(&name), str_lit("1"), USED_STEP_MS) ==
            CACHE_E_EXISTS) {
        return 0;
    }
    r = db_write(lookup->service->options.db, write_used, lookup, NULL);
    return r < 0 ? err_trace(r) : 0;
}

static int find_key(Access *self, Str text, AccessKey *ret_key) {
    static const ReadThroughPolicy policy = {.ttl_ms = ACCESS_KEY_TTL_MS, .wait_ms = LOAD_WAIT_MS};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Lookup lookup = {.service = service_of(self), .now_us = clock_unix_us()};
    uint8_t secret_hash[VAULT_HASH_LEN];
    char key[ACCESS_KEY_CACHE_KEY_SIZE];
    AccessKeyRecord cached;
    Str value;
    int r;

    if (access_key_parse(text, &lookup.user_id, &lookup.key_id, secret_hash) < 0) {
        return ACCESS_E_NONE;
    }
    r = read_through_get(lookup.service->api_keys,
                         access_key_cache_key(&lookup.user_id, &lookup.key_id, key), &policy,
                         load_key, &lookup, arena, &value);
    if (r != 0) {
        return r == READ_THROUGH_E_NONE ? ACCESS_E_NONE : err_trace(r);
    }
    if (value.len != sizeof(cached)) {
        return ACCESS_E_NONE;
    }
    memcpy(&cached, value.ptr, sizeof(cached));
    if (!digest_equal(cached.secret_hash, secret_hash, VAULT_HASH_LEN) ||
        (cached.expires_us != 0 && cached.expires_us <= lookup.now_us)) {
        return ACCESS_E_NONE;
    }
    r = mark_used(&lookup, cached.used_us);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_key = (AccessKey){lookup.user_id, lookup.key_id, cached.scopes, cached.expires_us};
    return 0;
}

typedef struct CreditWork {
    Arena *arena;
    const Uuid *user_id, *reservation_id;
    int64_t amount, now_us, expires_us;
    bool charge;
    CreditState state;
} CreditWork;

static int read_credits(DbTx *tx, void *userdata) {
    CreditWork *work = userdata;

    return credit_store_get(tx, work->user_id, work->now_us, work->arena, &work->state);
}

static int credits(Access *self, const Uuid *user_id, uint64_t *ret_available) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    CreditWork work = {.arena = arena, .user_id = user_id, .now_us = clock_unix_us()};
    int r = db_read(service_of(self)->options.db, NULL, read_credits, &work);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    *ret_available = (uint64_t)MAX(work.state.available, 0);
    return 0;
}

static int write_reservation(DbTx *tx, void *userdata) {
    CreditWork *work = userdata;

    return credit_store_reserve(tx, work->user_id, work->reservation_id, work->amount, work->now_us,
                                work->expires_us, work->arena);
}

static int reserve(Access *self, const AccessReservation *reservation) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    UserService *service = service_of(self);
    CreditWork work = {.arena = arena,
                       .user_id = &reservation->user_id,
                       .reservation_id = &reservation->reservation_id,
                       .amount = (int64_t)reservation->amount,
                       .now_us = clock_unix_us()};
    int r;

    if (reservation->amount == 0 || reservation->amount > ACCESS_AMOUNT_MAX) {
        return err_trace(-EINVAL);
    }
    work.expires_us = work.now_us + (int64_t)service->options.settings->reservation_s * 1000000;
    r = db_write(service->options.db, write_reservation, &work, NULL);
    return r == CREDIT_E_LITTLE ? ACCESS_E_CREDITS : err_trace(r);
}

static int write_settlement(DbTx *tx, void *userdata) {
    CreditWork *work = userdata;

    return credit_store_settle(tx, work->user_id, work->reservation_id, work->charge, work->arena);
}

static int settle(Access *self, const AccessReservation *reservation, bool charge) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    CreditWork work = {.arena = arena,
                       .user_id = &reservation->user_id,
                       .reservation_id = &reservation->reservation_id,
                       .charge = charge};
    bool unsure = false;
    int r = -EBUSY;

    /* It cannot be done twice, so one whose COMMIT was not answered is simply done again. */
    for (int i = 0; i < SETTLE_TRIES && (r == -EBUSY || r == -EREMOTEIO || r == -ENOTCONN); i++) {
        unsure |= r == -EREMOTEIO;
        r = db_write(service_of(self)->options.db, write_settlement, &work, NULL);
    }
    if (r == CREDIT_E_GONE) {
        return unsure ? 0 : ACCESS_E_GONE;
    }
    return err_trace(r);
}

static const AccessImpl impl = {.find_key = find_key,
                                .find_caller = user_access_find_caller,
                                .library_key = user_access_library_key,
                                .credits = credits,
                                .reserve = reserve,
                                .settle = settle};

int user_access_start(UserService *service) {
    service->access = (UserAccess){{&impl}, service};
    service->api_keys = read_through_new(service->options.cache);
    return service->api_keys ? 0 : err_trace(-ENOMEM);
}

void user_access_done(UserService *service) {
    if (service->api_keys) {
        service->api_keys = read_through_free(service->api_keys);
    }
}

void user_access_forget(UserService *service, const Uuid *user_id, const Uuid *key_ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char text[ACCESS_KEY_CACHE_KEY_SIZE];
        /* An unreachable cache forgets by itself when the time is over. */
        (void)read_through_forget(service->api_keys,
                                  access_key_cache_key(user_id, &key_ids[i], text));
    }
}
