/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/service_token.h"

#include "base/crypto/jwt.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#define TYP "service+jwt"

/* Names live as long as the program. */
struct ServiceSigner {
    Jwk *key;
    const char *from, *to;
};

struct ServiceVerifier {
    Jwks *keys;
    const char *from, *to;
};

/* The key that `from` signs with, of the service key of that id. */
static int derive(const MasterKeys *keys, const char *id, const char *from, Jwk **ret_key) {
    _cleanup_(buf_done) Buf purpose = BUF_INIT;
    uint8_t seed[JWK_SEED_LEN];
    int r;

    buf_addf(&purpose, "imagesync service token of %s", from);
    r = master_keys_derive(keys, str_from(id), buf_str(&purpose), seed);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    r = jwk_from_seed(seed, ret_key);
    secret_wipe(seed, sizeof(seed));
    return err_trace(r);
}

int service_signer_new(const MasterKeys *keys, const char *from, const char *to,
                       ServiceSigner **ret_signer) {
    _cleanup_(service_signer_freep) ServiceSigner *signer = calloc(1, sizeof(*signer));
    int r;

    if (!signer) {
        abort();
    }
    signer->from = from;
    signer->to = to;
    r = derive(keys, master_keys_newest(keys), from, &signer->key);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_signer = TAKE_PTR(signer);
    return 0;
}

ServiceSigner *service_signer_free(ServiceSigner *signer) {
    if (signer) {
        jwk_unref(signer->key);
        free(signer);
    }
    return NULL;
}

int service_token_sign(const ServiceSigner *signer, int64_t now_s, Buf *out) {
    _cleanup_(json_decrefp) json_t *claims =
        json_pack("{s:s,s:s,s:I,s:I}", "iss", signer->from, "aud", signer->to, "iat",
                  (json_int_t)now_s, "exp", (json_int_t)now_s + SERVICE_TOKEN_TTL_S);

    return err_trace(jwt_sign(signer->key, TYP, claims, out));
}

int service_verifier_new(const MasterKeys *keys, const char *from, const char *to,
                         ServiceVerifier **ret_verifier) {
    _cleanup_(service_verifier_freep) ServiceVerifier *verifier = calloc(1, sizeof(*verifier));
    const char *id;

    if (!verifier) {
        abort();
    }
    verifier->from = from;
    verifier->to = to;
    verifier->keys = jwks_new();
    for (size_t i = 0; (id = master_keys_id(keys, i)); i++) {
        _cleanup_(jwk_unrefp) Jwk *key = NULL;
        int r = derive(keys, id, from, &key);
        if (r < 0) {
            return err_trace(r);
        }
        if (jwks_add(verifier->keys, key) != 0) {
            return err_trace(-EIO);
        }
    }
    *ret_verifier = TAKE_PTR(verifier);
    return 0;
}

ServiceVerifier *service_verifier_free(ServiceVerifier *verifier) {
    if (verifier) {
        jwks_free(verifier->keys);
        free(verifier);
    }
    return NULL;
}

int service_token_verify(const ServiceVerifier *verifier, Str token, int64_t now_s) {
    const JwtExpect expect = {.typ = TYP,
                              .issuer = verifier->from,
                              .audience = verifier->to,
                              .now_s = now_s,
                              .leeway_s = SERVICE_TOKEN_LEEWAY_S};
    _cleanup_(jwt_claims_done) JwtClaims claims;
    int r = jwt_verify_flat(token, verifier->keys, &expect, &claims);
    JwtValue iat;

    if (r != 0) {
        return r < 0 ? err_trace(r) : SERVICE_TOKEN_E_INVALID;
    }
    /* Whoever holds the keys could sign for years: that is never meant. */
    iat = jwt_claims_get(&claims, "iat");
    if (iat.type != JWT_VALUE_NUMBER ||
        jwt_claims_get(&claims, "exp").number - iat.number > SERVICE_TOKEN_MAX_S) {
        return SERVICE_TOKEN_E_INVALID;
    }
    return 0;
}
