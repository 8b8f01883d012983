/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA-256 (FIPS 180-4) of bytes that come over a long time: what it has come to can be kept, by
 * another process too, and gone on with. What is kept lets nobody go back to the bytes but for the
 * last 0..63, which are in it as they are: seal it.
 */

#include "base/crypto/digest.h"

#define RUNNING_DIGEST_STATE_LEN 104

typedef struct RunningDigest {
    uint32_t h[8];
    uint64_t len;     /* of all bytes so far; at most 2^61 - 1 */
    uint8_t rest[64]; /* the last len % 64 */
} RunningDigest;

void running_digest_init(RunningDigest *digest);
void running_digest_add(RunningDigest *digest, Str bytes);
/* Of the bytes so far; more may be added afterwards. */
void running_digest_get(const RunningDigest *digest, uint8_t ret_digest[DIGEST_LEN]);

void running_digest_keep(const RunningDigest *digest, uint8_t ret_state[RUNNING_DIGEST_STATE_LEN]);
/* Takes what running_digest_keep() gave. */
void running_digest_resume(const uint8_t state[RUNNING_DIGEST_STATE_LEN],
                           RunningDigest *ret_digest);
