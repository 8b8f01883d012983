/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The key that a user's library is sealed with (access_library_key() of core/contracts/access.h).
 */

#include "services/user/vault.h"

/* Made of the user's own. In a transaction. 0; ACCOUNT_E_NONE: there is no such user (any more); or
 * a fault. The caller wipes it: user_key_done(). */
int library_key_of(DbTx *tx, const Vault *vault, const Uuid *user_id, Arena *arena,
                   UserKey *ret_key);
