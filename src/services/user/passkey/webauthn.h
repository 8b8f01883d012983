/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an authenticator and the browser before it say, verified (Web Authentication Level 2,
 * sections 7.1 and 7.2), on libfido2. Pure functions, thread-safe; all that is read comes from
 * strangers. Challenges are the caller's: first the client data is read, then its challenge is
 * judged, then the rest is verified.
 *
 * The user has to be present and verified (by PIN, finger or face), always: so a passkey is two
 * factors in one. Keys are ES256 (P-256), EdDSA (Ed25519) or RS256 (2048 bits), and a key is bound
 * to its algorithm when it is registered.
 */

#include "base/arena.h"

#define WEBAUTHN_CLIENT_DATA_MAX   4096 /* bytes of what is sent, each */
#define WEBAUTHN_ATTESTATION_MAX   12288
#define WEBAUTHN_AUTH_DATA_MAX     4096
#define WEBAUTHN_SIGNATURE_MAX     1024
#define WEBAUTHN_CREDENTIAL_ID_MAX 1023 /* section 4, "Credential ID" */

/* Who asks: the host that passkeys are made for, and the one origin they are used from. */
typedef struct WebauthnParty {
    const char *id;     /* "photos.example.com" */
    const char *origin; /* "https://photos.example.com:8443" */
} WebauthnParty;

/*
 * Both from a public URL: its host in lower case without port, and its scheme, host and port as
 * browsers write them (RFC 6454, section 6.1), which leave out the scheme's own port. 0 with
 * strings in the arena, or -EINVAL: neither http nor https, or no host.
 */
int webauthn_party_of(const char *public_url, Arena *arena, WebauthnParty *ret_party);

enum {
    WEBAUTHN_E_INVALID = 1, /* not what it has to be; *reterr says what, for people: static */
};

/* Section 5.8.1: what the browser was asked for and by whom. */
typedef enum WebauthnCeremony {
    WEBAUTHN_CREATE,
    WEBAUTHN_GET,
} WebauthnCeremony;

/*
 * Reads clientDataJSON: JSON without members given twice, of this ceremony and exactly that origin,
 * not from a frame of another site. The challenge, in the arena, is still base64url. 0 or
 * WEBAUTHN_E_INVALID.
 */
int webauthn_client_data(Str client_data, WebauthnCeremony ceremony, const WebauthnParty *party,
                         Arena *arena, Str *ret_challenge, const char **reterr);

typedef struct WebauthnCredential {
    Str id;
    int alg;        /* COSE: -7 ES256, -8 EdDSA, -257 RS256 */
    Str public_key; /* X and Y; 32 bytes; modulus and exponent */
    uint32_t sign_count;
} WebauthnCredential;

/*
 * Verifies a new credential. Of attestation formats "none" is taken, and "packed", whose signature
 * by the credential's own key or by a certificate has to be right; whose certificate it is does not
 * matter. 0 with strings in the arena, WEBAUTHN_E_INVALID, or -ENOMEM.
 */
int webauthn_register(const WebauthnParty *party, Str client_data, Str attestation_object,
                      Arena *arena, WebauthnCredential *ret_credential, const char **reterr);

/*
 * Verifies that the holder of `credential` signed. The count is not compared: it is what was told,
 * 0 when the authenticator does not count. 0, WEBAUTHN_E_INVALID, or -ENOMEM.
 */
int webauthn_assert(const WebauthnParty *party, const WebauthnCredential *credential,
                    Str client_data, Str authenticator_data, Str signature,
                    uint32_t *ret_sign_count, const char **reterr);

/* Section 6.1.1: whether a count may follow that one. A copy of an authenticator falls behind. */
static inline bool webauthn_count_follows(uint32_t before, uint32_t now) {
    return now > before || (now == 0 && before == 0);
}
