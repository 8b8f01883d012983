/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the operator does at the command line, with the database and the master key in hand: how a
 * fresh installation gets its first admin. A server may be running on the same database. What it
 * has in its cache is not reached from here: it believes sessions for at most a minute more, and
 * API keys for ten seconds.
 */

#include "base/crypto/master_key_ring.h"
#include "core/ports/db.h"
#include "services/user/acts.h"
#include "services/user/privacy/erasure.h"

/*
 * Does `act` to whoever has that address or id (act->user_id, by, now_us and arena are filled in
 * here). 0, or a negative with a whole sentence in *reterr_text, from the arena.
 */
int user_operator_do(Db *db, MasterKeyRing *master_key, const char *who, Act *act, Arena *arena,
                     const char **reterr_text);

/* Asks for the erasure of an account, so many days from now; a server does it then. The same. */
int user_operator_erase(Db *db, MasterKeyRing *master_key, const char *who, uint64_t days,
                        Arena *arena, ErasureRequest *ret_request, const char **reterr_text);
