/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An authenticator in software, for tests: it signs whatever it is told to, also what a real one
 * would not. On OpenSSL, so that nothing of what is tested is used to test it. */

#include "base/str.h"

#include <openssl/evp.h>

#define SOFT_ID_LEN 32

enum {
    SOFT_ES256 = -7,
    SOFT_EDDSA = -8,
    SOFT_RS256 = -257
};

/* Section 6.1, the byte of flags. */
enum {
    SOFT_UP = 0x01,
    SOFT_UV = 0x04,
    SOFT_ATTESTED = 0x40
};

typedef struct SoftKey {
    int alg;
    EVP_PKEY *pkey;
    uint8_t id[SOFT_ID_LEN];
    uint8_t flags; /* UP and UV unless changed */
    uint32_t count;
} SoftKey;

SoftKey soft_key_new(int alg);
void soft_key_done(SoftKey *key);

/* {"type", "challenge", "origin"} and more members, as text that begins with a comma. */
void soft_client_data(const char *type, const char *challenge, const char *origin, const char *more,
                      Buf *out);
/* With `attested` the credential's id and public key are in it. */
void soft_auth_data(const SoftKey *key, const char *rp_id, bool attested, Buf *out);
/* Over the authenticator's data and the hash of the client's. */
void soft_sign(const SoftKey *key, Str auth_data, Str client_data, Buf *out);
/* Of a new key; `signature` empty: format "none", else "packed" by the key itself. */
void soft_attestation(int alg, Str auth_data, Str signature, Buf *out);
