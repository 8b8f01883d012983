/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/issuer/id_token.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "services/user/account_store.h"
#include "services/user/text.h"

/* A string without NUL of at most `max` bytes; NULL otherwise. */
static const char *text(const json_t *claims, const char *name, size_t max) {
    const json_t *value = json_object_get(claims, name);

    return json_is_string(value) && json_string_length(value) <= max &&
                   strlen(json_string_value(value)) == json_string_length(value)
               ? json_string_value(value)
               : NULL;
}

static bool has_half(Str digest, const char *claim) {
    _cleanup_(buf_done) Buf encoded = BUF_INIT;

    base64url_encode((Str){digest.ptr, digest.len / 2}, &encoded);
    return str_equal(buf_str(&encoded), str_from(claim));
}

/* The left half of the hash that the signature's algorithm has (section 3.1.3.6): SHA-512 for
 * Ed25519, else SHA-256. They differ in length, so it is enough that one of them is right. */
static bool matches_at_hash(const json_t *claims, const char *access_token) {
    const char *claim = text(claims, "at_hash", 100);
    uint8_t digest[DIGEST_512_LEN];

    if (!claim) {
        return json_object_get(claims, "at_hash") == NULL;
    }
    if (!access_token) {
        return false;
    }
    digest_sha256(str_from(access_token), digest);
    if (has_half((Str){(const char *)digest, DIGEST_LEN}, claim)) {
        return true;
    }
    digest_sha512(str_from(access_token), digest);
    return has_half((Str){(const char *)digest, DIGEST_512_LEN}, claim);
}

const char *id_token_fault(const json_t *claims, const IdTokenExpect *expect) {
    const char *subject = text(claims, "sub", SUBJECT_LEN_MAX);
    const char *nonce = text(claims, "nonce", 200), *azp = text(claims, "azp", 2000);
    const json_t *auth_time = json_object_get(claims, "auth_time");

    if (!subject || !subject[0]) {
        return "sub: missing or too long";
    }
    if (!json_is_number(json_object_get(claims, "iat"))) {
        return "iat: missing";
    }
    if (!nonce || strcmp(nonce, expect->nonce) != 0) {
        return "nonce: not the one that was sent";
    }
    if (json_array_size(json_object_get(claims, "aud")) > 1 && !azp) {
        return "azp: missing, with several audiences";
    }
    if (json_object_get(claims, "azp") && (!azp || strcmp(azp, expect->client_id) != 0)) {
        return "azp: another client";
    }
    if (!matches_at_hash(claims, expect->access_token)) {
        return "at_hash: of another access token";
    }
    if (expect->authenticated_after_s > 0 &&
        (!json_is_number(auth_time) ||
         json_number_value(auth_time) < (double)expect->authenticated_after_s)) {
        return "auth_time: missing, or the proof is too old";
    }
    return NULL;
}

static const char *text_or_empty(const json_t *claims, const char *name, size_t max, Arena *arena) {
    const char *value = text(claims, name, max);

    return value ? arena_strdup(arena, str_from(value)) : "";
}

IdentityClaims identity_claims(const json_t *claims, Arena *arena) {
    const json_t *auth_time = json_object_get(claims, "auth_time");
    double at = json_is_number(auth_time) ? json_number_value(auth_time) : 0;
    IdentityClaims found = {
        .subject = text_or_empty(claims, "sub", SUBJECT_LEN_MAX, arena),
        .email = text_or_empty(claims, "email", EMAIL_LEN_MAX, arena),
        .name = text_or_empty(claims, "name", PROFILE_NAME_MAX, arena),
        .locale = text_or_empty(claims, "locale", PROFILE_LOCALE_MAX, arena),
        .zone = text_or_empty(claims, "zoneinfo", PROFILE_ZONE_MAX, arena),
        .email_verified = json_is_true(json_object_get(claims, "email_verified")),
        .authenticated_s = at > 0 && at < 1e11 ? (int64_t)at : 0,
    };

    /* A profile is a courtesy: what would be refused from a person is left out. */
    found.name = text_is_plain(found.name, PROFILE_NAME_MAX) ? found.name : "";
    found.locale = text_is_locale(found.locale) ? found.locale : "";
    found.zone = text_is_zone(found.zone) ? found.zone : "";
    return found;
}
