/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Master keys: what wraps the keys that encrypt users' data (envelope encryption). Several are held
 * at once, each with an id: the newest wraps, all unwrap. Rotation is to add a key, to rewrap what
 * the older ones wrapped, and then to take them out.
 *
 * Their text is a line a key, the newest last: "ID:KEY", where ID is 1..32 of a-z, 0-9 and '-', and
 * KEY is 32 random bytes in base64url (43 characters). Blank lines and lines that begin with '#'
 * are skipped. It comes from a file that only we can read, or from the standard output of a
 * command: the client of a key management service.
 *
 * A wrapped key is: length of the id, the id, the key sealed by aead_seal() with the id and the
 * caller's associated data. Keys are kept in locked memory and wiped. A MasterKeys does not change:
 * many threads may use it.
 */

#include "base/crypto/aead.h"
#include "base/str.h"

#define MASTER_KEY_ID_MAX      32
#define MASTER_KEY_KEYS_MAX    64
#define MASTER_KEY_TEXT_MAX    ((size_t)16 << 10)
#define MASTER_KEY_WRAPPED_MAX (1 + MASTER_KEY_ID_MAX + AEAD_OVERHEAD + AEAD_KEY_LEN)

enum {
    MASTER_KEY_E_REFUSED = 1, /* the source is not what it must be; *reterr says why */
    MASTER_KEY_E_UNKNOWN,     /* wrapped by a key that is not held */
    MASTER_KEY_E_FORGED,      /* changed, truncated, or of another place */
    MASTER_KEY_E_EXISTS,      /* there is a file already */
};

typedef struct MasterKeys MasterKeys;

/*
 * From a file, which must be regular, ours, and without any permission for group and others (what a
 * symbolic link leads to is judged). 0, MASTER_KEY_E_REFUSED (*reterr is then a whole static
 * sentence), or a fault such as -ENOENT, -EACCES.
 */
int master_keys_read_file(const char *path, MasterKeys **ret_keys, const char **reterr);

/*
 * From what a command prints: argv[0] is looked for in PATH, no shell; its standard input is empty,
 * its standard error ours, and so is its environment but for IMAGESYNC_*. Killed with its process
 * group when it takes longer than timeout_ms or prints more than MASTER_KEY_TEXT_MAX. The caller
 * must not reap unknown children meanwhile.
 * 0, MASTER_KEY_E_REFUSED (also for an exit status other than 0), or a fault such as -ENOENT.
 */
int master_keys_read_command(const char *const *argv, uint32_t timeout_ms, MasterKeys **ret_keys,
                             const char **reterr);

MasterKeys *master_keys_free(MasterKeys *keys); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(MasterKeys *, master_keys_free)

/*
 * A new file with one new key: mode 0600, on disk (fsync of file and folder) when this returns. 0,
 * MASTER_KEY_E_EXISTS, or a fault.
 */
int master_key_file_create(const char *path);
/*
 * Adds a new key at the end of a file that master_keys_read_file() accepts, by replacing it at once
 * (rename), so that a reader sees the old or the new file. Callers, of whatever process, take turns
 * by a lock on the folder; PATH.new that one left who was ended midway is replaced. As reading it.
 */
int master_key_file_add(const char *path, const char **reterr);
/* Takes a key out in the same way. MASTER_KEY_E_UNKNOWN: it is not in it. The newest is refused. */
int master_key_file_remove(const char *path, Str id, const char **reterr);

/* The id of the newest key, and of the one at `i`, the oldest first; NULL past the last. */
const char *master_keys_newest(const MasterKeys *keys);
const char *master_keys_id(const MasterKeys *keys, size_t i);

/*
 * Wraps a key of 32 bytes with the newest key; `associated` ties it to its place, such as the
 * user's id. At most MASTER_KEY_WRAPPED_MAX bytes. 0, or a fault.
 */
int master_keys_wrap(const MasterKeys *keys, const uint8_t key[AEAD_KEY_LEN], Str associated,
                     uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len);
/* 0, MASTER_KEY_E_UNKNOWN, MASTER_KEY_E_FORGED, or a fault. The caller wipes the key after use. */
int master_keys_unwrap(const MasterKeys *keys, Str wrapped, Str associated,
                       uint8_t ret_key[AEAD_KEY_LEN]);
/* Unwraps and wraps with the newest key; the same as master_keys_unwrap() returns. */
int master_keys_rewrap(const MasterKeys *keys, Str wrapped, Str associated,
                       uint8_t ret_wrapped[MASTER_KEY_WRAPPED_MAX], size_t *ret_len);
/* The id of the key that wrapped it; false when it cannot be a wrapped key. */
bool master_key_wrapped_id(Str wrapped, Str *ret_id);
/* Whether the newest key wrapped it, so that there is nothing to rewrap. */
bool master_keys_is_current(const MasterKeys *keys, Str wrapped);

/*
 * A key for one purpose from a key of 32 bytes: HKDF-SHA-256 (RFC 5869) with the purpose as info,
 * such as "e-mail look-up". Keys for different purposes tell nothing of each other.
 *
 * To derive from a master key, name it: what is derived changes with it. Something that must
 * outlive a rotation, such as a keyed look-up hash, is derived from a random key of its own, which
 * is stored wrapped. master_keys_derive(): 0, or MASTER_KEY_E_UNKNOWN.
 */
void key_derive(const uint8_t key[AEAD_KEY_LEN], Str purpose, uint8_t ret_key[AEAD_KEY_LEN]);
int master_keys_derive(const MasterKeys *keys, Str id, Str purpose, uint8_t ret_key[AEAD_KEY_LEN]);
