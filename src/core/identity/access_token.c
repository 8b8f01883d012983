/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/access_token.h"

#include "base/crypto/digest.h"
#include "base/crypto/jwt.h"
#include "base/error.h"

#include <pthread.h>

#define SLOTS 8192 /* one token each; about 2 MiB */
#define LOCKS 64

static const char *const scope_names[] = {"openid",         "profile", "email",
                                          "offline_access", "account", "library"};

int scopes_parse(Str text, uint32_t *ret_scopes) {
    uint32_t scopes = 0;
    Str rest = text, word;

    while (str_next_token(&rest, " ", &word)) {
        size_t i = 0;
        if (word.len == 0) {
            continue;
        }
        while (i < ARRAY_LEN(scope_names) && !str_equal(word, str_from(scope_names[i]))) {
            i++;
        }
        if (i == ARRAY_LEN(scope_names)) {
            return -EINVAL;
        }
        scopes |= 1u << i;
    }
    if (scopes == 0) {
        return -EINVAL;
    }
    *ret_scopes = scopes;
    return 0;
}

void scopes_write(uint32_t scopes, Buf *out) {
    const char *blank = "";

    for (size_t i = 0; i < ARRAY_LEN(scope_names); i++) {
        if (scopes & 1u << i) {
            buf_addf(out, "%s%s", blank, scope_names[i]);
            blank = " ";
        }
    }
}

typedef struct Slot {
    uint8_t digest[DIGEST_LEN];
    AccessToken token; /* expires_s 0: empty */
} Slot;

struct AccessVerifier {
    char *issuer, *audience;
    pthread_rwlock_t keys_lock;
    Jwks *keys;
    pthread_mutex_t locks[LOCKS];
    Slot *slots;
};

AccessVerifier *access_verifier_new(const char *issuer, const char *audience) {
    AccessVerifier *verifier = calloc(1, sizeof(*verifier));

    if (!verifier || !(verifier->issuer = strdup(issuer)) ||
        !(verifier->audience = strdup(audience)) ||
        !(verifier->slots = calloc(SLOTS, sizeof(Slot)))) {
        abort();
    }
    verifier->keys = jwks_new();
    pthread_rwlock_init(&verifier->keys_lock, NULL);
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_init(&verifier->locks[i], NULL);
    }
    return verifier;
}

AccessVerifier *access_verifier_free(AccessVerifier *verifier) {
    if (verifier) {
        for (size_t i = 0; i < LOCKS; i++) {
            pthread_mutex_destroy(&verifier->locks[i]);
        }
        pthread_rwlock_destroy(&verifier->keys_lock);
        jwks_free(verifier->keys);
        free(verifier->slots);
        free(verifier->issuer);
        free(verifier->audience);
        free(verifier);
    }
    return NULL;
}

void access_verifier_set_keys(AccessVerifier *verifier, Jwks *keys) {
    Jwks *old;

    pthread_rwlock_wrlock(&verifier->keys_lock);
    old = verifier->keys;
    verifier->keys = keys;
    /* Under the lock, which whoever is about to remember a token holds too. */
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_lock(&verifier->locks[i]);
        for (size_t slot = i; slot < SLOTS; slot += LOCKS) {
            verifier->slots[slot].token.expires_s = 0;
        }
        pthread_mutex_unlock(&verifier->locks[i]);
    }
    pthread_rwlock_unlock(&verifier->keys_lock);
    jwks_free(old);
}

static size_t slot_of(const uint8_t digest[DIGEST_LEN]) {
    uint32_t number;

    memcpy(&number, digest, sizeof(number));
    return number % SLOTS;
}

static bool recall(AccessVerifier *verifier, const uint8_t digest[DIGEST_LEN],
                   AccessToken *ret_token) {
    size_t at = slot_of(digest);
    const Slot *slot = &verifier->slots[at];
    bool found;

    pthread_mutex_lock(&verifier->locks[at % LOCKS]);
    found = slot->token.expires_s != 0 && memcmp(slot->digest, digest, DIGEST_LEN) == 0;
    if (found) {
        *ret_token = slot->token;
    }
    pthread_mutex_unlock(&verifier->locks[at % LOCKS]);
    return found;
}

static void remember(AccessVerifier *verifier, const uint8_t digest[DIGEST_LEN],
                     const AccessToken *token) {
    size_t at = slot_of(digest);

    pthread_mutex_lock(&verifier->locks[at % LOCKS]);
    memcpy(verifier->slots[at].digest, digest, DIGEST_LEN);
    verifier->slots[at].token = *token;
    pthread_mutex_unlock(&verifier->locks[at % LOCKS]);
}

/* RFC 9068 2.2; "grant" is ours. */
static int read_claims(const JwtClaims *claims, AccessToken *ret_token) {
    AccessToken token = {.issued_s = jwt_claims_get(claims, "iat").integer,
                         .expires_s = jwt_claims_get(claims, "exp").integer,
                         .authenticated_s = jwt_claims_get(claims, "auth_time").integer};
    Str client_id = jwt_claims_string(claims, "client_id");

    if (uuid_parse(jwt_claims_string(claims, "sub"), &token.user_id) < 0 ||
        uuid_parse(jwt_claims_string(claims, "grant"), &token.grant_id) < 0 ||
        scopes_parse(jwt_claims_string(claims, "scope"), &token.scopes) < 0 || client_id.len == 0 ||
        client_id.len > CLIENT_ID_LEN_MAX || token.issued_s <= 0 || token.expires_s <= 0) {
        return -EINVAL;
    }
    memcpy(token.client_id, client_id.ptr, client_id.len);
    *ret_token = token;
    return 0;
}

static int verify(AccessVerifier *verifier, Str text, int64_t now_s, AccessToken *ret_token) {
    const JwtExpect expect = {.typ = "at+jwt",
                              .issuer = verifier->issuer,
                              .audience = verifier->audience,
                              .now_s = now_s,
                              .leeway_s = ACCESS_TOKEN_LEEWAY_S};
    _cleanup_(jwt_claims_done) JwtClaims claims;
    int r = jwt_verify_flat(text, verifier->keys, &expect, &claims);

    if (r != 0) {
        return r < 0 ? err_trace(r) : ACCESS_TOKEN_E_INVALID;
    }
    return read_claims(&claims, ret_token) < 0 ? ACCESS_TOKEN_E_INVALID : 0;
}

int access_verify(AccessVerifier *verifier, Str text, int64_t now_s, AccessToken *ret_token) {
    uint8_t digest[DIGEST_LEN];
    AccessToken token;
    int r = 0;

    if (text.len > JWT_LEN_MAX) {
        return ACCESS_TOKEN_E_INVALID;
    }
    digest_sha256(text, digest);
    if (!recall(verifier, digest, &token)) {
        pthread_rwlock_rdlock(&verifier->keys_lock);
        r = verify(verifier, text, now_s, &token);
        if (r == 0) {
            remember(verifier, digest, &token);
        }
        pthread_rwlock_unlock(&verifier->keys_lock);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (token.expires_s + ACCESS_TOKEN_LEEWAY_S <= now_s) {
        return ACCESS_TOKEN_E_INVALID; /* it was good when it was remembered */
    }
    *ret_token = token;
    return 0;
}
