/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tokens are signed with: a key of each algorithm, made at the first start, sealed in the
 * table user_signing_key. A key's successor is made and published SIGNING_LEAD_S before it signs,
 * so that whoever keeps a copy of the set has it by then; the old one stays published for as long
 * as anything that it signed may be good. Each process looks at the table again every minute.
 * Thread-safe.
 */

#include "base/crypto/jwk.h"
#include "core/identity/access_token.h"
#include "core/ports/db.h"
#include "services/user/vault.h"

#define SIGNING_LEAD_S   86400
#define SIGNING_RETAIN_S (2 * 86400LL) /* after the next has begun; tokens live an hour at most */

typedef struct SigningKeys SigningKeys;

extern const DbStatement signing_key_statements[];
extern const size_t signing_key_statements_len;

/* Reads or makes them; a key signs for `days`. `db` and `vault` outlive it. 0 or a fault. */
int signing_keys_new(Db *db, const Vault *vault, uint64_t days, int64_t now_us,
                     SigningKeys **ret_keys);
SigningKeys *signing_keys_free(SigningKeys *keys); /* accepts NULL */
DEFINE_CLEANUP(SigningKeys *, signing_keys_free)

/* When a minute has passed: reads the table again, and does what is due. Gives `verifier` the
 * public keys when they have changed. Waits for the database; a fault leaves things as they are. */
int signing_keys_refresh(SigningKeys *keys, int64_t now_us, AccessVerifier *verifier);

/* The one that signs now, as a new reference. */
Jwk *signing_keys_current(SigningKeys *keys, JwkAlg alg, int64_t now_us);

/* Public members of all that are published, as a new reference. */
json_t *signing_keys_public(SigningKeys *keys);

/* All that are published, as a new set. */
Jwks *signing_keys_set(SigningKeys *keys);
