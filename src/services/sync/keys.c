/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/keys.h"

#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <pthread.h>

#define SLOTS 256 /* of 64 bytes: locked memory is scarce */

typedef struct Slot {
    UserKey key;
    uint64_t until_ms; /* 0: empty */
} Slot;

struct LibraryKeys {
    Access *access;
    pthread_mutex_t lock;
    Slot *slots;
};

LibraryKeys *library_keys_new(Access *access) {
    LibraryKeys *keys = calloc(1, sizeof(*keys));

    if (!keys) {
        abort();
    }
    keys->access = access;
    pthread_mutex_init(&keys->lock, NULL);
    keys->slots = secret_alloc(SLOTS * sizeof(*keys->slots));
    memset(keys->slots, 0, SLOTS * sizeof(*keys->slots));
    return keys;
}

LibraryKeys *library_keys_free(LibraryKeys *keys) {
    if (keys) {
        secret_free(keys->slots);
        pthread_mutex_destroy(&keys->lock);
        free(keys);
    }
    return NULL;
}

static Slot *slot_of(LibraryKeys *keys, const Uuid *user_id) {
    return &keys->slots[user_id->bytes[15] % SLOTS];
}

static bool recall(LibraryKeys *keys, const Uuid *user_id, UserKey *ret_key) {
    Slot *slot = slot_of(keys, user_id);
    bool found;

    pthread_mutex_lock(&keys->lock);
    found = slot->until_ms > clock_mono_ms() && uuid_equal(&slot->key.user_id, user_id);
    if (found) {
        *ret_key = slot->key;
    }
    pthread_mutex_unlock(&keys->lock);
    return found;
}

int library_key_get(LibraryKeys *keys, const Uuid *user_id, UserKey *ret_key) {
    Slot *slot = slot_of(keys, user_id);
    int r;

    if (recall(keys, user_id, ret_key)) {
        return 0;
    }
    r = access_library_key(keys->access, user_id, ret_key);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    pthread_mutex_lock(&keys->lock);
    slot->key = *ret_key;
    slot->until_ms = clock_mono_ms() + LIBRARY_KEY_TTL_MS;
    pthread_mutex_unlock(&keys->lock);
    return 0;
}

void library_hash(const UserKey *key, const char *purpose, Str bytes,
                  uint8_t ret_hash[LIBRARY_HASH_LEN]) {
    uint8_t derived[LIBRARY_HASH_LEN];

    digest_hkdf((Str){(const char *)key->bytes, sizeof(key->bytes)}, (Str){0}, str_from(purpose),
                derived, sizeof(derived));
    digest_hmac((Str){(const char *)derived, sizeof(derived)}, bytes, ret_hash);
    secret_wipe(derived, sizeof(derived));
}
