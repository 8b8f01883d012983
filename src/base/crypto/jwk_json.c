/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/base64url.h"
#include "base/crypto/jwk_internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#define RSA_BITS_MIN 2048
/* RFC 8017 lets it be as long as the modulus, which would make verifying as slow as signing. */
#define RSA_EXPONENT_LEN_MAX ((size_t)4)

DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

static json_t *encoded(const uint8_t *bytes, size_t len) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    base64url_encode((Str){(const char *)bytes, len}, &text);
    return json_stringn(text.data, text.len);
}

/* The number in base64url, padded to `len` bytes, or as short as it is when len is 0. */
static json_t *encoded_number(EVP_PKEY *pkey, const char *name, size_t len) {
    _cleanup_(BN_freep) BIGNUM *number = NULL;
    uint8_t bytes[JWK_RSA_LEN_MAX];

    if (EVP_PKEY_get_bn_param(pkey, name, &number) <= 0) {
        return NULL;
    }
    len = len > 0 ? len : (size_t)BN_num_bytes(number);
    if (len > sizeof(bytes) || BN_bn2binpad(number, bytes, (int)len) != (int)len) {
        return NULL;
    }
    return encoded(bytes, len);
}

json_t *jwk_members(EVP_PKEY *pkey, JwkAlg alg) {
    uint8_t point[JWK_COORD_LEN];
    size_t len = sizeof(point);

    switch (alg) {
    case JWK_ALG_ES256:
        return json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", "P-256", "x",
                         encoded_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, JWK_COORD_LEN), "y",
                         encoded_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, JWK_COORD_LEN));
    case JWK_ALG_EDDSA:
        if (EVP_PKEY_get_raw_public_key(pkey, point, &len) <= 0 || len != sizeof(point)) {
            return NULL;
        }
        return json_pack("{s:s, s:s, s:o}", "kty", "OKP", "crv", "Ed25519", "x",
                         encoded(point, sizeof(point)));
    default:
        return json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n",
                         encoded_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0), "e",
                         encoded_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0));
    }
}

json_t *jwk_write(const Jwk *jwk) {
    json_t *object = jwk_members(jwk_pkey(jwk), jwk_alg(jwk));

    if (!object || json_object_set_new(object, "kid", json_string(jwk_kid(jwk))) < 0 ||
        json_object_set_new(object, "alg", json_string(jwk_alg_name(jwk_alg(jwk)))) < 0 ||
        json_object_set_new(object, "use", json_string("sig")) < 0) {
        abort(); /* the same members were made when the key was: memory is exhausted */
    }
    return object;
}

/* A string member; empty when it is absent or something else. */
static Str member(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) ? (Str){json_string_value(value), json_string_length(value)}
                                 : (Str){0};
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *builder) {
    _cleanup_(OSSL_PARAM_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
        return NULL;
    }
    return pkey;
}

/* The library refuses a point that is not on the curve. */
static int read_ec(const json_t *object, EVP_PKEY **ret_pkey) {
    _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    uint8_t point[1 + 2 * JWK_COORD_LEN] = {4}; /* uncompressed (SEC 1, 2.3.3) */

    if (!str_equal(member(object, "crv"), str_lit("P-256"))) {
        return JWK_E_UNSUPPORTED;
    }
    if (base64url_decode_fixed(member(object, "x"), point + 1, JWK_COORD_LEN) < 0 ||
        base64url_decode_fixed(member(object, "y"), point + 1 + JWK_COORD_LEN, JWK_COORD_LEN) < 0 ||
        !builder ||
        !OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point))) {
        return JWK_E_INVALID;
    }
    *ret_pkey = pkey_from("EC", builder);
    return *ret_pkey ? 0 : JWK_E_INVALID;
}

static int read_okp(const json_t *object, EVP_PKEY **ret_pkey) {
    uint8_t point[JWK_COORD_LEN];

    if (!str_equal(member(object, "crv"), str_lit("Ed25519"))) {
        return JWK_E_UNSUPPORTED;
    }
    if (base64url_decode_fixed(member(object, "x"), point, sizeof(point)) < 0) {
        return JWK_E_INVALID;
    }
    *ret_pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, point, sizeof(point));
    return *ret_pkey ? 0 : JWK_E_INVALID;
}

static int read_rsa(const json_t *object, EVP_PKEY **ret_pkey) {
    _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    _cleanup_(BN_freep) BIGNUM *modulus = NULL, *exponent = NULL;
    uint8_t n[JWK_RSA_LEN_MAX], e[RSA_EXPONENT_LEN_MAX];
    size_t n_len, e_len;

    if (base64url_decode_into(member(object, "n"), n, sizeof(n), &n_len) < 0 ||
        base64url_decode_into(member(object, "e"), e, sizeof(e), &e_len) < 0) {
        return JWK_E_INVALID;
    }
    modulus = BN_bin2bn(n, (int)n_len, NULL);
    exponent = BN_bin2bn(e, (int)e_len, NULL);
    if (!builder || !modulus || !exponent || BN_num_bits(modulus) < RSA_BITS_MIN ||
        !BN_is_odd(modulus) || !BN_is_odd(exponent) || BN_is_one(exponent) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent)) {
        return JWK_E_INVALID;
    }
    *ret_pkey = pkey_from("RSA", builder);
    return *ret_pkey ? 0 : JWK_E_INVALID;
}

/* Whether "alg", "use" and "key_ops", where given, let the key verify (RFC 7517 4.2 to 4.4). */
static bool may_verify(const json_t *object, JwkAlg alg) {
    const json_t *operations = json_object_get(object, "key_ops"), *operation;
    size_t i;

    if (json_object_get(object, "alg") &&
        !str_equal(member(object, "alg"), str_from(jwk_alg_name(alg)))) {
        return false;
    }
    if (json_object_get(object, "use") && !str_equal(member(object, "use"), str_lit("sig"))) {
        return false;
    }
    if (!operations) {
        return true;
    }
    json_array_foreach(operations, i, operation) {
        if (json_is_string(operation) && strcmp(json_string_value(operation), "verify") == 0) {
            return true;
        }
    }
    return false;
}

static bool has_private_members(const json_t *object) {
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (json_object_get(object, names[i])) {
            return true;
        }
    }
    return false;
}

int jwk_read(const json_t *object, Jwk **ret_jwk) {
    static const struct {
        Str kty;
        JwkAlg alg;
        int (*read)(const json_t *object, EVP_PKEY **ret_pkey);
    } types[] = {{str_lit("EC"), JWK_ALG_ES256, read_ec},
                 {str_lit("OKP"), JWK_ALG_EDDSA, read_okp},
                 {str_lit("RSA"), JWK_ALG_RS256, read_rsa}};
    Str kty = member(object, "kty"), kid = member(object, "kid");
    bool pss = str_equal(member(object, "alg"), str_from(jwk_alg_name(JWK_ALG_PS256)));
    const json_t *given = json_object_get(object, "kid");
    EVP_PKEY *pkey = NULL;
    size_t i = 0;
    JwkAlg alg;
    int r;

    if (kty.len == 0 || has_private_members(object) ||
        (given && (kid.len == 0 || kid.len > JWK_KID_MAX))) {
        return JWK_E_INVALID;
    }
    while (i < ARRAY_LEN(types) && !str_equal(types[i].kty, kty)) {
        i++;
    }
    if (i == ARRAY_LEN(types)) {
        return JWK_E_UNSUPPORTED;
    }
    alg = types[i].alg == JWK_ALG_RS256 && pss ? JWK_ALG_PS256 : types[i].alg;
    if (!may_verify(object, alg)) {
        return JWK_E_UNSUPPORTED;
    }
    r = types[i].read(object, &pkey);
    if (r != 0) {
        ERR_clear_error(); /* what is refused is no error to whoever uses the library next */
        return r;
    }
    return jwk_wrap(pkey, alg, false, given ? kid.ptr : NULL, ret_jwk);
}
