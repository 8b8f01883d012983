/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwk.h"

#include "base/crypto/base64url.h"
#include "base/crypto/digest.h"
#include "base/crypto/jwk_internal.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>

#define PKCS8_MAX 512

/* One that is ready to verify with a key: of a digest, or (EdDSA) of all the bytes. */
typedef struct Context {
    EVP_PKEY_CTX *digest;
    EVP_MD_CTX *whole;
} Context;

/* Making one costs several per cent of a verification, so they are kept; one serves one thread at a
 * time. */
typedef struct Contexts {
    pthread_mutex_t lock;
    Context idle[16];
    size_t n_idle;
} Contexts;

struct Jwk {
    _Atomic unsigned refs;
    JwkAlg alg;
    bool is_private;
    EVP_PKEY *pkey;
    Contexts *contexts;
    char thumbprint[JWK_THUMB_SIZE];
    char kid[JWK_KID_MAX + 1];
};

DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free)
DEFINE_CLEANUP(PKCS8_PRIV_KEY_INFO *, PKCS8_PRIV_KEY_INFO_free)

static void context_done(Context *context) {
    EVP_PKEY_CTX_free(context->digest);
    EVP_MD_CTX_free(context->whole);
    *context = (Context){0};
}

static int thumbprint(EVP_PKEY *pkey, JwkAlg alg, char ret_text[JWK_THUMB_SIZE]) {
    _cleanup_(json_decrefp) json_t *members = jwk_members(pkey, alg);
    _cleanup_(freep) char *text =
        members ? json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    _cleanup_(buf_done) Buf encoded = BUF_INIT;
    uint8_t digest[DIGEST_LEN];

    if (!text) {
        return err_trace(-EIO);
    }
    digest_sha256(str_from(text), digest);
    base64url_encode((Str){(const char *)digest, sizeof(digest)}, &encoded);
    memcpy(ret_text, encoded.data, JWK_THUMB_SIZE);
    return 0;
}

int jwk_wrap(EVP_PKEY *pkey, JwkAlg alg, bool is_private, const char *kid, Jwk **ret_jwk) {
    _cleanup_(jwk_unrefp) Jwk *jwk = calloc(1, sizeof(*jwk));
    int r;

    if (!jwk) {
        abort();
    }
    jwk->refs = 1;
    jwk->alg = alg;
    jwk->is_private = is_private;
    jwk->pkey = pkey;
    jwk->contexts = calloc(1, sizeof(*jwk->contexts));
    if (!jwk->contexts) {
        abort();
    }
    pthread_mutex_init(&jwk->contexts->lock, NULL);
    r = thumbprint(pkey, alg, jwk->thumbprint);
    if (r < 0) {
        return r;
    }
    if (!kid) {
        kid = jwk->thumbprint;
    }
    assert(strlen(kid) <= JWK_KID_MAX);
    memcpy(jwk->kid, kid, strlen(kid) + 1);
    *ret_jwk = TAKE_PTR(jwk);
    return 0;
}

int jwk_generate(JwkAlg alg, Jwk **ret_jwk) {
    EVP_PKEY *pkey;

    assert(alg == JWK_ALG_ES256 || alg == JWK_ALG_EDDSA);
    pkey = alg == JWK_ALG_ES256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return pkey ? jwk_wrap(pkey, alg, true, NULL, ret_jwk) : err_trace(-EIO);
}

int jwk_from_seed(const uint8_t seed[JWK_SEED_LEN], Jwk **ret_jwk) {
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, JWK_SEED_LEN);

    return pkey ? jwk_wrap(pkey, JWK_ALG_EDDSA, true, NULL, ret_jwk) : err_trace(-EIO);
}

Jwk *jwk_ref(Jwk *jwk) {
    atomic_fetch_add(&jwk->refs, 1);
    return jwk;
}

Jwk *jwk_unref(Jwk *jwk) {
    if (!jwk || atomic_fetch_sub(&jwk->refs, 1) > 1) {
        return NULL;
    }
    for (size_t i = 0; i < jwk->contexts->n_idle; i++) {
        context_done(&jwk->contexts->idle[i]);
    }
    pthread_mutex_destroy(&jwk->contexts->lock);
    free(jwk->contexts);
    EVP_PKEY_free(jwk->pkey);
    free(jwk);
    return NULL;
}

JwkAlg jwk_alg(const Jwk *jwk) {
    return jwk->alg;
}

const char *jwk_alg_name(JwkAlg alg) {
    static const char *const names[] = {[JWK_ALG_ES256] = "ES256",
                                        [JWK_ALG_EDDSA] = "EdDSA",
                                        [JWK_ALG_RS256] = "RS256",
                                        [JWK_ALG_PS256] = "PS256"};

    return names[alg];
}

const char *jwk_kid(const Jwk *jwk) {
    return jwk->kid;
}

const char *jwk_thumbprint(const Jwk *jwk) {
    return jwk->thumbprint;
}

bool jwk_is_private(const Jwk *jwk) {
    return jwk->is_private;
}

EVP_PKEY *jwk_pkey(const Jwk *jwk) {
    return jwk->pkey;
}

int jwk_seal(const Jwk *jwk, const uint8_t key[AEAD_KEY_LEN], Str associated, Buf *out) {
    _cleanup_(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(jwk->pkey);
    uint8_t der[PKCS8_MAX], *end = der;
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1, r;

    assert(jwk->is_private);
    if (len <= 0 || len > PKCS8_MAX || i2d_PKCS8_PRIV_KEY_INFO(info, &end) != len) {
        return err_trace(-EIO);
    }
    r = aead_seal(key, (Str){(const char *)der, (size_t)len}, associated,
                  (uint8_t *)buf_reserve(out, (size_t)len + AEAD_OVERHEAD));
    secret_wipe(der, sizeof(der));
    if (r < 0) {
        return r;
    }
    out->len += (size_t)len + AEAD_OVERHEAD;
    out->data[out->len] = '\0';
    return 0;
}

static bool alg_of(EVP_PKEY *pkey, JwkAlg *ret_alg) {
    char group[32];

    if (EVP_PKEY_is_a(pkey, "ED25519")) {
        *ret_alg = JWK_ALG_EDDSA;
        return true;
    }
    *ret_alg = JWK_ALG_ES256;
    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) > 0 &&
           str_equal(str_from(group), str_lit(SN_X9_62_prime256v1));
}

int jwk_open(Str sealed, const uint8_t key[AEAD_KEY_LEN], Str associated, Jwk **ret_jwk) {
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
    uint8_t der[PKCS8_MAX];
    const uint8_t *at = der;
    JwkAlg alg;
    int r;

    if (sealed.len > PKCS8_MAX + AEAD_OVERHEAD || sealed.len <= AEAD_OVERHEAD) {
        return JWK_E_FORGED;
    }
    r = aead_open(key, sealed, associated, der);
    if (r != 0) {
        return r < 0 ? err_trace(r) : JWK_E_FORGED;
    }
    pkey = d2i_AutoPrivateKey(NULL, &at, (long)(sealed.len - AEAD_OVERHEAD));
    secret_wipe(der, sizeof(der));
    if (!pkey || !alg_of(pkey, &alg)) {
        ERR_clear_error();
        return JWK_E_UNSUPPORTED;
    }
    return jwk_wrap(TAKE_PTR(pkey), alg, true, NULL, ret_jwk);
}

static int sign_es256(const Jwk *jwk, Str bytes, uint8_t *ret_signature) {
    _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_pkey(NULL, jwk->pkey, NULL);
    _cleanup_(ECDSA_SIG_freep) ECDSA_SIG *signature = NULL;
    uint8_t digest[DIGEST_LEN], der[80];
    const uint8_t *at = der;
    size_t len = sizeof(der);

    digest_sha256(bytes, digest);
    if (!context || EVP_PKEY_sign_init(context) <= 0 ||
        EVP_PKEY_sign(context, der, &len, digest, sizeof(digest)) <= 0) {
        return err_trace(-EIO);
    }
    signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + 32, 32) != 32) {
        return err_trace(-EIO);
    }
    return 0;
}

int jwk_sign(const Jwk *jwk, Str bytes, uint8_t ret_signature[64]) {
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = NULL;
    size_t len = 64;

    assert(jwk->is_private);
    if (jwk->alg == JWK_ALG_ES256) {
        return sign_es256(jwk, bytes, ret_signature);
    }
    context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, jwk->pkey) <= 0 ||
        EVP_DigestSign(context, ret_signature, &len, (const uint8_t *)bytes.ptr, bytes.len) <= 0 ||
        len != 64) {
        return err_trace(-EIO);
    }
    return 0;
}

/* What an RSA key signs by; salts of PS256 are as long as the hash (RFC 7518 3.5). */
static bool set_rsa(EVP_PKEY_CTX *context, JwkAlg alg) {
    bool pss = alg == JWK_ALG_PS256;

    return EVP_PKEY_CTX_set_rsa_padding(context, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) >
               0 &&
           EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0 &&
           (!pss || (EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0 &&
                     EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0));
}

static bool context_init(const Jwk *jwk, Context *context) {
    if (jwk->alg == JWK_ALG_EDDSA) {
        context->whole = EVP_MD_CTX_new();
        return context->whole &&
               EVP_DigestVerifyInit(context->whole, NULL, NULL, NULL, jwk->pkey) > 0;
    }
    context->digest = EVP_PKEY_CTX_new_from_pkey(NULL, jwk->pkey, NULL);
    return context->digest && EVP_PKEY_verify_init(context->digest) > 0 &&
           (jwk->alg == JWK_ALG_ES256 || set_rsa(context->digest, jwk->alg));
}

/* 0, or -EIO. */
static int take_context(const Jwk *jwk, Context *ret_context) {
    Context context = {0};

    pthread_mutex_lock(&jwk->contexts->lock);
    if (jwk->contexts->n_idle > 0) {
        context = jwk->contexts->idle[--jwk->contexts->n_idle];
    }
    pthread_mutex_unlock(&jwk->contexts->lock);
    if (!context.digest && !context.whole && !context_init(jwk, &context)) {
        context_done(&context);
        return err_trace(-EIO);
    }
    *ret_context = context;
    return 0;
}

static void give_context(const Jwk *jwk, Context *context) {
    pthread_mutex_lock(&jwk->contexts->lock);
    if (jwk->contexts->n_idle < ARRAY_LEN(jwk->contexts->idle)) {
        jwk->contexts->idle[jwk->contexts->n_idle++] = *context;
        *context = (Context){0};
    }
    pthread_mutex_unlock(&jwk->contexts->lock);
    context_done(context);
}

/* A forged signature must not leave errors for whoever uses the library next on this thread. */
static int forged(void) {
    ERR_clear_error();
    return JWK_E_FORGED;
}

static int verify_digest(const Jwk *jwk, Str bytes, const uint8_t *signature, size_t len) {
    uint8_t digest[DIGEST_LEN];
    Context context;
    int r = take_context(jwk, &context), good;

    if (r < 0) {
        return r;
    }
    digest_sha256(bytes, digest);
    good = EVP_PKEY_verify(context.digest, signature, len, digest, sizeof(digest));
    give_context(jwk, &context);
    return good == 1 ? 0 : forged();
}

/* A DER INTEGER of 32 bytes in network order: shortest, and never with the sign bit set. */
static size_t der_integer(const uint8_t *bytes, uint8_t *out) {
    size_t skip = 0, len;
    bool pad;

    while (skip < 31 && bytes[skip] == 0) {
        skip++;
    }
    pad = bytes[skip] & 0x80;
    len = 32 - skip + pad;
    out[0] = 2;
    out[1] = (uint8_t)len;
    out[2] = 0;
    memcpy(out + 2 + pad, bytes + skip, 32 - skip);
    return 2 + len;
}

static int verify_es256(const Jwk *jwk, Str bytes, const uint8_t *signature) {
    uint8_t der[2 + 2 * 35] = {0x30};
    size_t len = der_integer(signature, der + 2);

    len += der_integer(signature + 32, der + 2 + len);
    der[1] = (uint8_t)len;
    return verify_digest(jwk, bytes, der, 2 + len);
}

static int verify_eddsa(const Jwk *jwk, Str bytes, const uint8_t *signature) {
    Context context;
    int r = take_context(jwk, &context), good;

    if (r < 0) {
        return r;
    }
    good = EVP_DigestVerify(context.whole, signature, 64, (const uint8_t *)bytes.ptr, bytes.len);
    give_context(jwk, &context);
    return good == 1 ? 0 : forged();
}

int jwk_verify(const Jwk *jwk, Str bytes, Str signature) {
    const uint8_t *at = (const uint8_t *)signature.ptr;

    switch (jwk->alg) {
    case JWK_ALG_ES256:
        return signature.len == 64 ? verify_es256(jwk, bytes, at) : JWK_E_FORGED;
    case JWK_ALG_EDDSA:
        return signature.len == 64 ? verify_eddsa(jwk, bytes, at) : JWK_E_FORGED;
    default:
        return signature.len == (size_t)EVP_PKEY_get_size(jwk->pkey)
                   ? verify_digest(jwk, bytes, at, signature.len)
                   : JWK_E_FORGED;
    }
}
