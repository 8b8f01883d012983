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

/* After an operator's rotation: a minute until each process has read the table, five for which
 * copies of the set are good (their max-age), and one more. */
#define SIGNING_ROTATE_S 420

typedef struct SigningKeys SigningKeys;

enum {
    SIGNING_KEYS_E_FULL = 1, /* so many are published already: wait until the oldest have gone */
};

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

/* The next refresh reads the table, whether a minute has passed or not. */
void signing_keys_reload(SigningKeys *keys);

/*
 * A new key of each algorithm, now: servers publish it within a minute, and it signs from
 * *ret_signs_from_us. Those before it verify what they have signed for as long as ever. For an
 * operator, beside servers that run. 0, SIGNING_KEYS_E_FULL or a fault.
 */
int signing_keys_rotate(Db *db, const Vault *vault, int64_t now_us, int64_t *ret_signs_from_us);

/* The one that signs now, as a new reference. */
Jwk *signing_keys_current(SigningKeys *keys, JwkAlg alg, int64_t now_us);

/* Public members of all that are published, as a new reference. */
json_t *signing_keys_public(SigningKeys *keys);

/* All that are published, as a new set. */
Jwks *signing_keys_set(SigningKeys *keys);
