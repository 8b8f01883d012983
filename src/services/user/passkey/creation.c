/* SPDX-License-Identifier: Apache-2.0 */

/* Making a passkey: what the browser is asked for, and what it gives back. */

#include "base/crypto/base64url.h"
#include "base/error.h"
#include "services/user/passkey/credential.h"
#include "services/user/passkey/part.h"
#include "services/user/text.h"

#include <fido.h>

UserPasskeys *passkeys_new(UserService *service) {
    const UserKey *key = vault_service_key(service->vault);
    UserPasskeys *passkeys = calloc(1, sizeof(*passkeys));

    if (!passkeys) {
        abort();
    }
    passkeys->arena = arena_new();
    digest_hkdf((Str){(const char *)key->bytes, VAULT_KEY_LEN}, (Str){0},
                str_lit("imagesync/passkey/challenges"), passkeys->challenge_key,
                sizeof(passkeys->challenge_key));
    fido_init(0);
    return passkeys;
}

UserPasskeys *passkeys_free(UserPasskeys *passkeys) {
    if (passkeys) {
        explicit_bzero(passkeys->challenge_key, sizeof(passkeys->challenge_key));
        arena_free(passkeys->arena);
        free(passkeys);
    }
    return NULL;
}

int passkeys_set_public_url(UserService *service) {
    return webauthn_party_of(service->public_url, service->passkeys->arena,
                             &service->passkeys->party);
}

static json_t *base64url_json(Str bytes) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    base64url_encode(bytes, &text);
    return json_string(buf_cstr(&text));
}

json_t *passkey_creation_options(UserCall *call, ChallengePurpose purpose, const Uuid *subject,
                                 Str binding, const char *email, const char *name,
                                 const Passkey *existing, size_t n_existing) {
    const UserPasskeys *passkeys = call->service->passkeys;
    char challenge[CHALLENGE_LEN + 1];
    json_t *excluded = json_array();

    for (size_t i = 0; i < n_existing; i++) {
        json_array_append_new(excluded, json_pack("{s:s,s:o}", "type", "public-key", "id",
                                                  base64url_json(existing[i].credential.id)));
    }
    challenge_new(passkeys->challenge_key, purpose, subject, binding, call->now_us, challenge);
    /* The algorithms are those of webauthn.h, the one that authenticators like best first. */
    return json_pack(
        "{s:{s:{s:s,s:s},s:{s:o,s:s,s:s},s:s,s:[{s:s,s:i},{s:s,s:i},{s:s,s:i}],s:i,s:s,"
        "s:{s:s,s:b,s:s},s:o}}",
        "publicKey", "rp", "id", passkeys->party.id, "name", "Image Sync", "user", "id",
        base64url_json(uuid_str(subject)), "name", email, "displayName",
        name && name[0] ? name : email, "challenge", challenge, "pubKeyCredParams", "type",
        "public-key", "alg", COSE_ES256, "type", "public-key", "alg", COSE_EDDSA, "type",
        "public-key", "alg", COSE_RS256, "timeout", CHALLENGE_LIFE_S * 1000, "attestation", "none",
        "authenticatorSelection", "residentKey", "required", "requireResidentKey", 1,
        "userVerification", "required", "excludeCredentials", excluded);
}

static UserFailure refuse(UserCall *call, const char *text) {
    call->detail = arena_printf(call->arena, "credential: %s", text);
    return USER_FAILURE_INVALID_FIELD;
}

UserFailure passkey_created(UserCall *call, const json_t *credential, ChallengePurpose purpose,
                            Str binding, WebauthnCredential *ret_credential,
                            Challenge *ret_challenge) {
    const UserPasskeys *passkeys = call->service->passkeys;
    const char *detail = NULL;
    SentCredential sent = {0};
    Str challenge;
    int r;

    if (credential_read_new(credential, call->arena, &sent, &detail) < 0) {
        return refuse(call, arena_printf(call->arena, "%s is missing or of a wrong type.", detail));
    }
    if (webauthn_client_data(sent.client_data, WEBAUTHN_CREATE, &passkeys->party, call->arena,
                             &challenge, &detail) != 0) {
        return refuse(call, detail);
    }
    if (challenge_open(passkeys->challenge_key, purpose, binding, challenge, call->now_us,
                       ret_challenge) != 0) {
        return refuse(call, "the challenge is too old, or another's: ask for new options.");
    }
    r = webauthn_register(&passkeys->party, sent.client_data, sent.attestation_object, call->arena,
                          ret_credential, &detail);
    if (r < 0) {
        return user_call_fault(call, r);
    }
    if (r > 0) {
        return refuse(call, detail);
    }
    return str_equal(sent.id, ret_credential->id)
               ? USER_FAILURE_NONE
               : refuse(call, "its id is not that of its attestation.");
}

UserFailure passkey_check_name(UserCall *call, const char **name) {
    if (!*name || !(*name)[0]) {
        *name = "Passkey";
    }
    if (!text_is_plain(*name, PASSKEY_NAME_MAX)) {
        call->detail = "name: has characters that cannot be seen.";
        return USER_FAILURE_INVALID_FIELD;
    }
    return USER_FAILURE_NONE;
}
