/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which master key wraps what, and wrapping it with the newest instead: the keys of users and of
 * the service. In short transactions, each row only if it is still what was read, so that servers
 * and other rotations go on beside it, and one that was ended anywhere is simply run again.
 */

#include "services/user/vault.h"

typedef struct KeyUse {
    MasterKeyId id;
    uint64_t n_users, n_service;
} KeyUse;

/*
 * One for each id that wraps something: *ret_n of them, at most MASTER_KEY_KEYS_MAX. 0, or a fault;
 * -EBADMSG for what is no wrapped key.
 */
int key_rotation_count(Db *db, KeyUse ret_uses[MASTER_KEY_KEYS_MAX], size_t *ret_n);

/* Wraps all that `newest` does not wrap; counts it. 0, VAULT_E_BROKEN: some key does not open, or a
 * fault. */
int key_rotation_rewrap(Db *db, const Vault *vault, const char *newest, uint64_t *ret_n);
