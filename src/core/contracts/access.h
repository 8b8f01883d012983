/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What other services may ask of the user service: whose an API key is and what it may do, and the
 * credits of its user. A client calls it directly when both run in one process; the structs are
 * plain and each change names itself by an id of the caller's, so that a client over HTTP can take
 * its place and repeat a call whose answer was lost.
 *
 * Calls block: they belong on a thread that may wait (base/executor.h). Thread-safe. Credits are
 * in hundredths.
 */

#include "core/sealing/column.h"

/* What every key of a user begins with, so that a leaked one is recognised as what it is. */
#define ACCESS_KEY_PREFIX "isk_"

/*
 * A key is the prefix and base64url of its id, its user's id and a random secret. The id comes
 * first, so that the characters that tell keys apart are none of the secret's.
 */
#define ACCESS_KEY_SECRET_LEN 32
#define ACCESS_KEY_HASH_LEN   32 /* SHA-256 of the secret */
#define ACCESS_KEY_TEXT_LEN   90

/* 0, or -EINVAL: not of a key's form. Says nothing of whether there is such a key. */
int access_key_parse(Str text, Uuid *ret_user_id, Uuid *ret_key_id,
                     uint8_t ret_secret_hash[ACCESS_KEY_HASH_LEN]);
void access_key_write(const Uuid *user_id, const Uuid *key_id,
                      const uint8_t secret[ACCESS_KEY_SECRET_LEN],
                      char ret_text[ACCESS_KEY_TEXT_LEN + 1]);

/*
 * What a look-up found, as caches keep it under access_key_cache_key(): the name tells user and
 * key, the hash proves the secret. The user service and its clients write the same, so that those
 * who share a cache share this, and a key that is revoked is gone from all of them at once.
 */
typedef struct AccessKeyRecord {
    uint8_t secret_hash[ACCESS_KEY_HASH_LEN];
    uint32_t scopes;
    int64_t expires_us; /* 0: never */
    int64_t used_us;    /* 0: never, or not known to who wrote this */
} AccessKeyRecord;

#define ACCESS_KEY_TTL_MS         10000
#define ACCESS_KEY_CACHE_KEY_SIZE 100
Str access_key_cache_key(const Uuid *user_id, const Uuid *key_id,
                         char text[ACCESS_KEY_CACHE_KEY_SIZE]);

/* What a key may do; bits. */
enum {
    ACCESS_SCOPE_IMAGES = 1 << 0,  /* have pictures cut out, at the user's cost */
    ACCESS_SCOPE_ACCOUNT = 1 << 1, /* see the balance */
    ACCESS_SCOPE_LIBRARY = 1 << 2, /* see and change the user's photos */
};
#define ACCESS_SCOPES_ALL (ACCESS_SCOPE_IMAGES | ACCESS_SCOPE_ACCOUNT | ACCESS_SCOPE_LIBRARY)

typedef struct AccessKey {
    Uuid user_id, key_id;
    uint32_t scopes;
    int64_t expires_us; /* 0: never */
} AccessKey;

/* Who calls, as what they show tells: a session's token, an access token or an API key. */
typedef struct AccessCaller {
    Uuid user_id;
    /* What tells this device or program from the user's others: the id of the session, the access
     * token's grant, or the key. */
    Uuid device_id;
    uint32_t scopes;    /* ACCESS_SCOPE_; a session has all */
    int64_t expires_us; /* 0: never */
} AccessCaller;

#define ACCESS_CREDENTIAL_LEN_MAX 4096

typedef struct AccessReservation {
    Uuid user_id;
    Uuid reservation_id; /* the caller's, new for each piece of work */
    uint64_t amount;     /* 1..ACCESS_AMOUNT_MAX */
} AccessReservation;

#define ACCESS_AMOUNT_MAX 100000000000000ull

enum {
    ACCESS_E_NONE = 1, /* unknown, revoked, expired, or its user is locked or gone */
    ACCESS_E_CREDITS,  /* reserve(): not enough is left */
    ACCESS_E_GONE,     /* charge(): not there: settled before, or expired and given back */
};

typedef struct Access Access;

struct Access {
    const struct AccessImpl *impl;
};

typedef struct AccessImpl {
    int (*find_key)(Access *self, Str key, AccessKey *ret_key);
    int (*find_caller)(Access *self, Str credential, AccessCaller *ret_caller);
    int (*library_key)(Access *self, const Uuid *user_id, UserKey *ret_key);
    int (*credits)(Access *self, const Uuid *user_id, uint64_t *ret_available);
    int (*reserve)(Access *self, const AccessReservation *reservation);
    int (*settle)(Access *self, const AccessReservation *reservation, bool charge);
} AccessImpl;

/* Every call: 0; its own condition; or a fault, as db_write() of core/ports/db.h has them. */

/*
 * Whose the key is; remembered for at most 10 s. A key that its user revokes through this process
 * is unknown at once, through another one when that time is over.
 */
static inline int access_find_key(Access *self, Str key, AccessKey *ret_key) {
    return self->impl->find_key(self, key, ret_key);
}

/*
 * Who shows this credential, of at most ACCESS_CREDENTIAL_LEN_MAX bytes: what stands in the
 * session's cookie or after "Bearer". ACCESS_E_NONE. What has ended is unknown at once in the user
 * service's process, and to clients in others after 10 s at most.
 */
static inline int access_find_caller(Access *self, Str credential, AccessCaller *ret_caller) {
    return self->impl->find_caller(self, credential, ret_caller);
}

/*
 * The key that the user's library is sealed with: made of the user's own by HKDF (RFC 5869), so
 * that it is gone when that is erased. Never to be stored, nor put in a cache that is shared.
 * ACCESS_E_NONE: there is no such user (any more).
 */
static inline int access_library_key(Access *self, const Uuid *user_id, UserKey *ret_key) {
    return self->impl->library_key(self, user_id, ret_key);
}

/* What may still be spent: the balance less what is set aside. */
static inline int access_credits(Access *self, const Uuid *user_id, uint64_t *ret_available) {
    return self->impl->credits(self, user_id, ret_available);
}

/*
 * Sets the amount aside, or ACCESS_E_CREDITS. Doing so again under the same id changes nothing. A
 * reservation that is neither charged nor released in the time that the user service gives it (the
 * setting reservation-s) is given back by itself.
 */
static inline int access_reserve(Access *self, const AccessReservation *reservation) {
    return self->impl->reserve(self, reservation);
}

/* The work is done: takes the amount from the balance, once. ACCESS_E_GONE takes nothing. */
static inline int access_charge(Access *self, const AccessReservation *reservation) {
    return self->impl->settle(self, reservation, true);
}

/* The work came to nothing: gives the amount back. 0 also when it is not there any more. */
static inline int access_release(Access *self, const AccessReservation *reservation) {
    int r = self->impl->settle(self, reservation, false);

    return r == ACCESS_E_GONE ? 0 : r;
}
