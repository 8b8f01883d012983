/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/password.h"

#include "base/clock.h"
#include "base/crypto/random.h"
#include "base/error.h"
#include "base/wait.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/queue.h>

/* A caller in the queue, on its own stack. */
typedef struct Waiter {
    TAILQ_ENTRY(Waiter) link;
    pthread_cond_t turn;
    bool has_turn;
} Waiter;

struct PasswordHasher {
    PasswordSettings settings;
    char nobodys[PASSWORD_HASH_SIZE];
    pthread_mutex_t lock;
    TAILQ_HEAD(Waiters, Waiter) queue;
    uint32_t running, waiting;
};

static size_t memory_bytes(const PasswordHasher *hasher) {
    return (size_t)hasher->settings.memory_mib << 20;
}

static int hash_now(const PasswordHasher *hasher, Str password, char *ret_hash) {
    static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_argon2id_STRBYTES, "a PHC string fits");
    char hash[crypto_pwhash_argon2id_STRBYTES];

    /* It fails on nothing but memory once its parameters are in range. */
    if (crypto_pwhash_argon2id_str(hash, password.ptr, password.len, hasher->settings.ops,
                                   memory_bytes(hasher)) != 0) {
        return err_trace(-ENOMEM);
    }
    memcpy(ret_hash, hash, sizeof(hash));
    return 0;
}

static int check_settings(const PasswordSettings *settings) {
    bool good = settings->ops >= 1 && settings->ops <= 100 && settings->memory_mib >= 1 &&
                settings->memory_mib <= 4095 && settings->parallel_max >= 1 &&
                settings->parallel_max <= 256 && settings->waiting_max <= 65536;

    return good ? 0 : -EINVAL;
}

int password_hasher_new(const PasswordSettings *settings, PasswordHasher **ret_hasher) {
    _cleanup_(password_hasher_freep) PasswordHasher *hasher = NULL;
    char unknown[32];
    int r = check_settings(settings);

    if (r < 0 || sodium_init() < 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    hasher = calloc(1, sizeof(*hasher));
    if (!hasher) {
        return err_trace(-ENOMEM);
    }
    hasher->settings = *settings;
    pthread_mutex_init(&hasher->lock, NULL);
    TAILQ_INIT(&hasher->queue);

    random_bytes(unknown, sizeof(unknown));
    r = hash_now(hasher, (Str){unknown, sizeof(unknown)}, hasher->nobodys);
    if (r < 0) {
        return r;
    }
    *ret_hasher = TAKE_PTR(hasher);
    return 0;
}

PasswordHasher *password_hasher_free(PasswordHasher *hasher) {
    if (hasher) {
        assert(hasher->running == 0 && hasher->waiting == 0);
        pthread_mutex_destroy(&hasher->lock);
        free(hasher);
    }
    return NULL;
}

/* Waits, with the lock, for who leaves to hand over its place. */
static int queue_up(PasswordHasher *hasher) {
    uint64_t deadline_ms = clock_mono_ms() + hasher->settings.wait_ms;
    Waiter self = {.has_turn = false};
    bool late = false;

    pthread_cond_init(&self.turn, NULL);
    TAILQ_INSERT_TAIL(&hasher->queue, &self, link);
    hasher->waiting++;
    while (!self.has_turn && !late) {
        late = !wait_until(&self.turn, &hasher->lock, deadline_ms);
    }
    if (!self.has_turn) {
        TAILQ_REMOVE(&hasher->queue, &self, link);
        hasher->waiting--;
    }
    pthread_cond_destroy(&self.turn);
    return self.has_turn ? 0 : PASSWORD_E_BUSY;
}

static int enter(PasswordHasher *hasher) {
    int r = 0;

    pthread_mutex_lock(&hasher->lock);
    if (hasher->running < hasher->settings.parallel_max) {
        hasher->running++;
    } else if (hasher->waiting < hasher->settings.waiting_max) {
        r = queue_up(hasher);
    } else {
        r = PASSWORD_E_BUSY;
    }
    pthread_mutex_unlock(&hasher->lock);
    return r;
}

/* The first in the queue gets the place itself, so that no newcomer can take it in between. */
static void leave(PasswordHasher *hasher) {
    Waiter *first;

    pthread_mutex_lock(&hasher->lock);
    first = TAILQ_FIRST(&hasher->queue);
    if (first) {
        TAILQ_REMOVE(&hasher->queue, first, link);
        hasher->waiting--;
        first->has_turn = true;
        pthread_cond_signal(&first->turn);
    } else {
        hasher->running--;
    }
    pthread_mutex_unlock(&hasher->lock);
}

int password_hash(PasswordHasher *hasher, Str password, char ret_hash[PASSWORD_HASH_SIZE]) {
    int r;

    assert(password.len >= PASSWORD_LEN_MIN && password.len <= PASSWORD_LEN_MAX);
    r = enter(hasher);
    if (r != 0) {
        return r;
    }
    r = hash_now(hasher, password, ret_hash);
    leave(hasher);
    return r;
}

/* libsodium says only -1; errno tells a wrong password, no memory and a broken hash apart. */
static int verify_now(Str password, const char *hash) {
    errno = 0;
    if (crypto_pwhash_argon2id_str_verify(hash, password.ptr, password.len) == 0) {
        return 0;
    }
    return errno == EINVAL   ? PASSWORD_E_WRONG
           : errno == ENOMEM ? err_trace(-ENOMEM)
                             : err_trace(-EBADMSG);
}

int password_verify(PasswordHasher *hasher, Str password, const char *hash) {
    int r = enter(hasher);

    if (r != 0) {
        return r;
    }
    /* Too long a one costs as much as any, but is not read to its end. */
    r = verify_now((Str){password.ptr, MIN(password.len, (size_t)PASSWORD_LEN_MAX)},
                   hash ? hash : hasher->nobodys);
    leave(hasher);
    return r == 0 && (!hash || password.len > PASSWORD_LEN_MAX) ? PASSWORD_E_WRONG : r;
}

bool password_needs_rehash(const PasswordHasher *hasher, const char *hash) {
    return crypto_pwhash_argon2id_str_needs_rehash(hash, hasher->settings.ops,
                                                   memory_bytes(hasher)) != 0;
}

void password_hasher_load(PasswordHasher *hasher, uint32_t *ret_running, uint32_t *ret_waiting) {
    pthread_mutex_lock(&hasher->lock);
    *ret_running = hasher->running;
    *ret_waiting = hasher->waiting;
    pthread_mutex_unlock(&hasher->lock);
}
