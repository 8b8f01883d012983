/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Challenges for passkeys. A challenge says itself what it is for and until when, under a MAC, so
 * that none is kept before it comes back: asking for a million of them fills nothing, every process
 * takes what another gave, and no cache has to be there. That it is used once is seen to when it is
 * used, in the transaction that lets somebody in (passkey_store_spend()).
 */

#include "base/arena.h"
#include "base/crypto/digest.h"
#include "base/uuid.h"

#define CHALLENGE_KEY_LEN 32
#define CHALLENGE_LIFE_S  300 /* the ceremony's time-out, which browsers take as a hint */
#define CHALLENGE_LEN     96  /* base64url of 72 bytes */

typedef enum ChallengePurpose {
    CHALLENGE_SIGN_IN,  /* signing in, and proving that it is still the same */
    CHALLENGE_ADD,      /* another passkey of an account */
    CHALLENGE_REGISTER, /* the first one, of an account that is to be opened */
} ChallengePurpose;

/* `subject` is the account that it is for (nil: any); `binding` the session or token that it was
 * given to (empty: anybody). */
void challenge_new(const uint8_t key[CHALLENGE_KEY_LEN], ChallengePurpose purpose,
                   const Uuid *subject, Str binding, int64_t now_us,
                   char ret_text[CHALLENGE_LEN + 1]);

typedef struct Challenge {
    Uuid subject;
    int64_t expires_us;
    uint8_t hash[DIGEST_LEN]; /* names it among those that were used */
} Challenge;

enum {
    CHALLENGE_E_BAD = 1, /* not ours, for something or somebody else, or too old */
};

int challenge_open(const uint8_t key[CHALLENGE_KEY_LEN], ChallengePurpose purpose, Str binding,
                   Str text, int64_t now_us, Challenge *ret_challenge);
