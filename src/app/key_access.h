/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What opens users' data: the master keys that the settings name, and with a database its vault. */

#include "app/settings.h"
#include "base/crypto/master_key_ring.h"
#include "core/ports/db.h"
#include "services/user/vault.h"

/*
 * The master keys from the file or the command. A file that is not there is made when `create`. 0,
 * or -EINVAL with a whole sentence in *reterr_text, from the arena, which must outlive the keys.
 */
int key_access_open(const Settings *settings, bool create, Arena *arena, MasterKeyRing **ret_keys,
                    const char **reterr_text);

/* For commands on a database that is there and up to date. */
typedef struct KeyAccess {
    Db *db;
    MasterKeyRing *keys;
    Vault *vault;
} KeyAccess;

/* Opens all three. 0, or a fault with a whole sentence. */
int key_access_start(const Settings *settings, Arena *arena, KeyAccess *ret_access,
                     const char **reterr_text);
void key_access_done(KeyAccess *access);
