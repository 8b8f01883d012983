/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The master keys of a process that goes on while they are rotated: read from their source, and
 * read again when something was wrapped by a key that is not held, before something new is wrapped
 * (when the file has changed), and when asked to. If that fails, those held stay. Thread-safe.
 */

#include "base/crypto/master_key.h"

typedef struct MasterKeySource {
    const char *path;
    const char *const *argv; /* a command instead; NULL: the file */
    uint32_t timeout_ms;     /* of the command */
} MasterKeySource;

typedef struct MasterKeyRing MasterKeyRing;

/* Strings are borrowed and must outlive the ring. As master_keys_read_file() or _command(). */
int master_key_ring_new(const MasterKeySource *source, MasterKeyRing **ret_ring,
                        const char **reterr);
MasterKeyRing *master_key_ring_free(MasterKeyRing *ring); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(MasterKeyRing *, master_key_ring_free)

/* Reads the source now. As master_key_ring_new(). */
int master_key_ring_reload(MasterKeyRing *ring, const char **reterr);

/* As those of a MasterKeys. A command is asked for unknown keys once in five seconds at most. */
int master_key_ring_wrap(MasterKeyRing *ring, const uint8_t key[AEAD_KEY_LEN], Str associated,
                         uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len);
int master_key_ring_unwrap(MasterKeyRing *ring, Str wrapped, Str associated,
                           uint8_t ret_key[AEAD_KEY_LEN]);
int master_key_ring_rewrap(MasterKeyRing *ring, Str wrapped, Str associated,
                           uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len);

/* The ids, the newest last; returns how many. */
typedef struct MasterKeyId {
    char text[MASTER_KEY_ID_MAX + 1];
} MasterKeyId;
size_t master_key_ring_ids(MasterKeyRing *ring, MasterKeyId ret_ids[MASTER_KEY_KEYS_MAX]);
