/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/webauthn.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/passkey/attestation.h"

#include <ctype.h>
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <jansson.h>

/* Section 6.1, the byte of flags. */
#define FLAG_USER_PRESENT  0x01
#define FLAG_USER_VERIFIED 0x04

static const char not_present[] = "The device did not say that somebody was there.";
static const char not_verified[] =
    "The device did not check who it was: use its PIN, finger or face.";
static const char other_site[] = "It was made for another site.";

static int refuse(const char **reterr, const char *text) {
    *reterr = text;
    return WEBAUTHN_E_INVALID;
}

int webauthn_party_of(const char *public_url, Arena *arena, WebauthnParty *ret_party) {
    static const struct {
        Str scheme, port;
    } schemes[] = {{{"https://", 8}, {":443", 4}}, {{"http://", 7}, {":80", 3}}};
    Str url = str_from(public_url);

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        Str scheme = schemes[i].scheme;
        if (url.len <= scheme.len || !str_equal_nocase((Str){url.ptr, scheme.len}, scheme)) {
            continue;
        }
        Str place = {url.ptr + scheme.len, strcspn(url.ptr + scheme.len, "/?#")};
        size_t host_len =
            place.ptr[0] == '[' ? strcspn(place.ptr, "]") + 1 : strcspn(place.ptr, ":");
        if (str_ends_with(place, schemes[i].port)) {
            place.len -= schemes[i].port.len;
        }
        if (host_len == 0 || host_len > place.len) {
            return -EINVAL;
        }
        char *origin = arena_strdup(arena, (Str){url.ptr, scheme.len + place.len});
        for (char *c = origin; *c; c++) {
            *c = (char)tolower((unsigned char)*c);
        }
        ret_party->origin = origin;
        ret_party->id = arena_strdup(arena, (Str){origin + scheme.len, host_len});
        return 0;
    }
    return -EINVAL;
}

static bool is_text(const json_t *object, const char *member, const char *text) {
    const json_t *value = json_object_get(object, member);

    return json_is_string(value) &&
           str_equal((Str){json_string_value(value), json_string_length(value)}, str_from(text));
}

int webauthn_client_data(Str client_data, WebauthnCeremony ceremony, const WebauthnParty *party,
                         Arena *arena, Str *ret_challenge, const char **reterr) {
    static const char *const types[] = {"webauthn.create", "webauthn.get"};
    _cleanup_(json_decrefp) json_t *json = NULL;
    const json_t *challenge, *cross;

    if (client_data.len == 0 || client_data.len > WEBAUTHN_CLIENT_DATA_MAX) {
        return refuse(reterr, "clientDataJSON: empty or too long.");
    }
    json = json_loadb(client_data.ptr, client_data.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        return refuse(reterr, "clientDataJSON: not a JSON object.");
    }
    if (!is_text(json, "type", types[ceremony])) {
        return refuse(reterr, "clientDataJSON: not for what was asked for.");
    }
    if (!is_text(json, "origin", party->origin)) {
        return refuse(reterr, other_site);
    }
    /* Level 3 names the site around a frame as topOrigin; we are in no other site's frames. */
    cross = json_object_get(json, "crossOrigin");
    if ((cross && !json_is_false(cross)) || json_object_get(json, "topOrigin")) {
        return refuse(reterr, "It was made in a frame of another site.");
    }
    challenge = json_object_get(json, "challenge");
    if (!json_is_string(challenge) || json_string_length(challenge) == 0) {
        return refuse(reterr, "clientDataJSON: there is no challenge.");
    }
    ret_challenge->len = json_string_length(challenge);
    ret_challenge->ptr =
        arena_strdup(arena, (Str){json_string_value(challenge), ret_challenge->len});
    return 0;
}

static int check_flags(uint8_t flags, const char **reterr) {
    if (!(flags & FLAG_USER_PRESENT)) {
        return refuse(reterr, not_present);
    }
    return flags & FLAG_USER_VERIFIED ? 0 : refuse(reterr, not_verified);
}

/* libfido2's form of a key that was checked when it was read: on the curve, of 2048 bits. */
typedef union PublicKey {
    es256_pk_t *es256;
    eddsa_pk_t *eddsa;
    rs256_pk_t *rs256;
    void *any;
} PublicKey;

static void key_done(int alg, PublicKey *key) {
    switch (alg) {
    case COSE_ES256:
        es256_pk_free(&key->es256);
        break;
    case COSE_EDDSA:
        eddsa_pk_free(&key->eddsa);
        break;
    default:
        rs256_pk_free(&key->rs256);
        break;
    }
}

/* 0, WEBAUTHN_E_INVALID (not such a key), or -ENOMEM. The key is the caller's on 0. */
static int key_read(int alg, Str bytes, PublicKey *ret_key) {
    PublicKey key = {0};
    int r;

    switch (alg) {
    case COSE_ES256:
        key.es256 = es256_pk_new();
        r = key.any ? es256_pk_from_ptr(key.es256, bytes.ptr, bytes.len) : -ENOMEM;
        break;
    case COSE_EDDSA:
        key.eddsa = eddsa_pk_new();
        r = key.any ? eddsa_pk_from_ptr(key.eddsa, bytes.ptr, bytes.len) : -ENOMEM;
        break;
    case COSE_RS256:
        key.rs256 = rs256_pk_new();
        r = key.any ? rs256_pk_from_ptr(key.rs256, bytes.ptr, bytes.len) : -ENOMEM;
        break;
    default:
        return WEBAUTHN_E_INVALID;
    }
    if (r != FIDO_OK) {
        key_done(alg, &key);
        return r == -ENOMEM ? err_trace(r) : WEBAUTHN_E_INVALID;
    }
    *ret_key = key;
    return 0;
}

static void cred_freep(fido_cred_t **cred) {
    fido_cred_free(cred);
}

static void assert_freep(fido_assert_t **assertion) {
    fido_assert_free(assertion);
}

static bool set_common(fido_cred_t *cred, const WebauthnParty *party, Str client_data) {
    uint8_t hash[DIGEST_LEN];

    digest_sha256(client_data, hash);
    return fido_cred_set_clientdata_hash(cred, hash, sizeof(hash)) == FIDO_OK &&
           fido_cred_set_rp(cred, party->id, NULL) == FIDO_OK &&
           fido_cred_set_uv(cred, FIDO_OPT_TRUE) == FIDO_OK;
}

/* libfido2 wants to know the algorithm before it reads the key: whichever reads it is its. */
static bool set_auth_data(fido_cred_t **cred, const WebauthnParty *party, Str client_data,
                          Str auth_data) {
    static const int algs[] = {COSE_ES256, COSE_EDDSA, COSE_RS256};

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        fido_cred_free(cred);
        *cred = fido_cred_new();
        if (*cred && set_common(*cred, party, client_data) &&
            fido_cred_set_type(*cred, algs[i]) == FIDO_OK &&
            fido_cred_set_authdata_raw(*cred, (const uint8_t *)auth_data.ptr, auth_data.len) ==
                FIDO_OK) {
            return true;
        }
    }
    return false;
}

/* SHA-256 of the party's id comes first in the authenticator's data (section 6.1). */
static bool is_for_party(Str auth_data, const WebauthnParty *party) {
    uint8_t hash[DIGEST_LEN];

    digest_sha256(str_from(party->id), hash);
    return auth_data.len >= sizeof(hash) && memcmp(auth_data.ptr, hash, sizeof(hash)) == 0;
}

/* Sections 8.2 and 8.7. */
static bool statement_holds(fido_cred_t *cred, const Attestation *attestation) {
    Str statement = attestation->statement;

    if (str_equal(attestation->format, str_lit("none"))) {
        return attestation->statement_is_empty;
    }
    if (!str_equal(attestation->format, str_lit("packed")) ||
        fido_cred_set_fmt(cred, "packed") != FIDO_OK ||
        fido_cred_set_attstmt(cred, (const uint8_t *)statement.ptr, statement.len) != FIDO_OK) {
        return false;
    }
    if (fido_cred_x5c_len(cred) > 0) {
        return fido_cred_verify(cred) == FIDO_OK;
    }
    return attestation->alg == fido_cred_type(cred) && fido_cred_verify_self(cred) == FIDO_OK;
}

static Str copy(Arena *arena, const uint8_t *bytes, size_t len) {
    return (Str){arena_strdup(arena, (Str){(const char *)bytes, len}), len};
}

int webauthn_register(const WebauthnParty *party, Str client_data, Str attestation_object,
                      Arena *arena, WebauthnCredential *ret_credential, const char **reterr) {
    _cleanup_(cred_freep) fido_cred_t *cred = NULL;
    WebauthnCredential credential;
    Attestation attestation;
    PublicKey key;
    int r;

    if (attestation_object.len > WEBAUTHN_ATTESTATION_MAX ||
        attestation_read(attestation_object, arena, &attestation) != 0) {
        return refuse(reterr, "attestationObject: not of that form.");
    }
    if (!is_for_party(attestation.auth_data, party)) {
        return refuse(reterr, other_site);
    }
    if (!set_auth_data(&cred, party, client_data, attestation.auth_data)) {
        return refuse(reterr, "attestationObject: no key of a kind that is taken here.");
    }
    r = check_flags(fido_cred_flags(cred), reterr);
    if (r != 0) {
        return r;
    }
    credential = (WebauthnCredential){
        .id = copy(arena, fido_cred_id_ptr(cred), fido_cred_id_len(cred)),
        .alg = fido_cred_type(cred),
        .public_key = copy(arena, fido_cred_pubkey_ptr(cred), fido_cred_pubkey_len(cred)),
        .sign_count = fido_cred_sigcount(cred)};
    r = key_read(credential.alg, credential.public_key, &key);
    if (r < 0) {
        return err_trace(r);
    }
    if (r > 0 || credential.id.len == 0 || credential.id.len > WEBAUTHN_CREDENTIAL_ID_MAX) {
        return refuse(reterr, "attestationObject: the key is none.");
    }
    key_done(credential.alg, &key);
    if (!statement_holds(cred, &attestation)) {
        return refuse(reterr, "attestationObject: its statement is wrong or of another format than "
                              "none and packed.");
    }
    *ret_credential = credential;
    return 0;
}

static fido_assert_t *new_assertion(const WebauthnParty *party, Str client_data, Str auth_data,
                                    Str signature) {
    _cleanup_(assert_freep) fido_assert_t *assertion = fido_assert_new();
    uint8_t hash[DIGEST_LEN];

    digest_sha256(client_data, hash);
    if (!assertion || fido_assert_set_clientdata_hash(assertion, hash, sizeof(hash)) != FIDO_OK ||
        fido_assert_set_rp(assertion, party->id) != FIDO_OK ||
        fido_assert_set_up(assertion, FIDO_OPT_TRUE) != FIDO_OK ||
        fido_assert_set_uv(assertion, FIDO_OPT_TRUE) != FIDO_OK ||
        fido_assert_set_count(assertion, 1) != FIDO_OK ||
        fido_assert_set_authdata_raw(assertion, 0, (const uint8_t *)auth_data.ptr, auth_data.len) !=
            FIDO_OK ||
        fido_assert_set_sig(assertion, 0, (const uint8_t *)signature.ptr, signature.len) !=
            FIDO_OK) {
        return NULL;
    }
    return TAKE_PTR(assertion);
}

int webauthn_assert(const WebauthnParty *party, const WebauthnCredential *credential,
                    Str client_data, Str authenticator_data, Str signature,
                    uint32_t *ret_sign_count, const char **reterr) {
    _cleanup_(assert_freep) fido_assert_t *assertion = NULL;
    PublicKey key;
    int r;

    if (signature.len == 0 || signature.len > WEBAUTHN_SIGNATURE_MAX ||
        authenticator_data.len > WEBAUTHN_AUTH_DATA_MAX ||
        !auth_data_is_bounded(authenticator_data, false) ||
        !(assertion = new_assertion(party, client_data, authenticator_data, signature))) {
        return refuse(reterr, "authenticatorData or signature: not of that form.");
    }
    if (!is_for_party(authenticator_data, party)) {
        return refuse(reterr, other_site);
    }
    r = check_flags(fido_assert_flags(assertion, 0), reterr);
    if (r != 0) {
        return r;
    }
    r = key_read(credential->alg, credential->public_key, &key);
    if (r != 0) {
        return r < 0 ? err_trace(r) : refuse(reterr, "The key is none.");
    }
    r = fido_assert_verify(assertion, 0, credential->alg, key.any);
    key_done(credential->alg, &key);
    if (r != FIDO_OK) {
        return refuse(reterr, "The signature is wrong.");
    }
    *ret_sign_count = fido_assert_sigcount(assertion, 0);
    return 0;
}
