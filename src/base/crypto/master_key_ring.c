/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/master_key_ring.h"

#include "base/clock.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COMMAND_PAUSE_MS 5000

/* Which file was read; one that replaces it has another inode. */
typedef struct Stamp {
    dev_t device;
    ino_t inode;
    struct timespec changed;
} Stamp;

struct MasterKeyRing {
    MasterKeySource source;
    pthread_rwlock_t lock; /* of keys: held for the moment that they are used */
    MasterKeys *keys;
    pthread_mutex_t reading; /* of what follows: one reads the source at a time */
    Stamp stamp;
    uint64_t asked_ms; /* when the command was run last */
};

static Stamp stamp_of(const char *path) {
    struct stat status;

    if (stat(path, &status) < 0) {
        return (Stamp){0};
    }
    return (Stamp){status.st_dev, status.st_ino, status.st_ctim};
}

static bool same_stamp(const Stamp *a, const Stamp *b) {
    return a->device == b->device && a->inode == b->inode &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* With `reading`. */
static int read_source(MasterKeyRing *ring, const char **reterr) {
    const MasterKeySource *source = &ring->source;
    MasterKeys *keys = NULL, *old;
    Stamp stamp = {0};
    int r;

    if (source->argv) {
        r = master_keys_read_command(source->argv, source->timeout_ms, &keys, reterr);
        ring->asked_ms = clock_mono_ms();
    } else {
        /* Before it is read: if it is replaced in between, the next look sees that. */
        stamp = stamp_of(source->path);
        r = master_keys_read_file(source->path, &keys, reterr);
    }
    if (r != 0) {
        return r;
    }
    ring->stamp = stamp;
    pthread_rwlock_wrlock(&ring->lock);
    old = ring->keys;
    ring->keys = keys;
    pthread_rwlock_unlock(&ring->lock);
    master_keys_free(old);
    return 0;
}

int master_key_ring_new(const MasterKeySource *source, MasterKeyRing **ret_ring,
                        const char **reterr) {
    MasterKeyRing *ring = calloc(1, sizeof(*ring));
    int r;

    if (!ring) {
        return err_trace(-ENOMEM);
    }
    ring->source = *source;
    pthread_rwlock_init(&ring->lock, NULL);
    pthread_mutex_init(&ring->reading, NULL);
    r = master_key_ring_reload(ring, reterr);
    if (r != 0) {
        master_key_ring_free(ring);
        return r;
    }
    *ret_ring = ring;
    return 0;
}

MasterKeyRing *master_key_ring_free(MasterKeyRing *ring) {
    if (ring) {
        master_keys_free(ring->keys);
        pthread_rwlock_destroy(&ring->lock);
        pthread_mutex_destroy(&ring->reading);
        free(ring);
    }
    return NULL;
}

int master_key_ring_reload(MasterKeyRing *ring, const char **reterr) {
    int r;

    pthread_mutex_lock(&ring->reading);
    r = read_source(ring, reterr);
    pthread_mutex_unlock(&ring->reading);
    return r;
}

/* Reads the source when it may say something new. What fails shows in what is tried next. */
static void refresh(MasterKeyRing *ring, bool ask_command) {
    const char *reason;
    bool changed;

    pthread_mutex_lock(&ring->reading);
    if (ring->source.argv) {
        changed = ask_command && clock_mono_ms() - ring->asked_ms >= COMMAND_PAUSE_MS;
    } else {
        Stamp stamp = stamp_of(ring->source.path);
        changed = !same_stamp(&stamp, &ring->stamp);
    }
    if (changed) {
        (void)read_source(ring, &reason);
    }
    pthread_mutex_unlock(&ring->reading);
}

int master_key_ring_wrap(MasterKeyRing *ring, const uint8_t key[AEAD_KEY_LEN], Str associated,
                         uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len) {
    int r;

    refresh(ring, false);
    pthread_rwlock_rdlock(&ring->lock);
    r = master_keys_wrap(ring->keys, key, associated, ret_wrapped, ret_len);
    pthread_rwlock_unlock(&ring->lock);
    return r;
}

int master_key_ring_unwrap(MasterKeyRing *ring, Str wrapped, Str associated,
                           uint8_t ret_key[AEAD_KEY_LEN]) {
    int r = MASTER_KEY_E_UNKNOWN;

    for (unsigned i = 0; i < 2 && r == MASTER_KEY_E_UNKNOWN; i++) {
        if (i > 0) {
            refresh(ring, true);
        }
        pthread_rwlock_rdlock(&ring->lock);
        r = master_keys_unwrap(ring->keys, wrapped, associated, ret_key);
        pthread_rwlock_unlock(&ring->lock);
    }
    return r;
}

int master_key_ring_rewrap(MasterKeyRing *ring, Str wrapped, Str associated,
                           uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len) {
    uint8_t key[AEAD_KEY_LEN];
    int r = master_key_ring_unwrap(ring, wrapped, associated, key);

    if (r != 0) {
        return r;
    }
    r = master_key_ring_wrap(ring, key, associated, ret_wrapped, ret_len);
    secret_wipe(key, sizeof(key));
    return r;
}

size_t master_key_ring_ids(MasterKeyRing *ring, MasterKeyId ret_ids[MASTER_KEY_KEYS_MAX]) {
    const char *id;
    size_t n = 0;

    pthread_rwlock_rdlock(&ring->lock);
    while ((id = master_keys_id(ring->keys, n)) != NULL) {
        memcpy(ret_ids[n++].text, id, strlen(id) + 1);
    }
    pthread_rwlock_unlock(&ring->lock);
    return n;
}
