/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passkey/authenticator_testing.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

SoftKey soft_key_new(int alg) {
    SoftKey key = {.alg = alg, .flags = SOFT_UP | SOFT_UV};

    key.pkey = alg == SOFT_ES256   ? EVP_EC_gen("P-256")
               : alg == SOFT_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                   : EVP_RSA_gen(2048);
    assert(key.pkey && RAND_bytes(key.id, sizeof(key.id)) == 1);
    return key;
}

void soft_key_done(SoftKey *key) {
    EVP_PKEY_free(key->pkey);
}

void soft_client_data(const char *type, const char *challenge, const char *origin, const char *more,
                      Buf *out) {
    buf_addf(out, "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\"%s}", type, challenge,
             origin, more);
}

static void add_number(const EVP_PKEY *pkey, const char *name, int len, Buf *out) {
    uint8_t bytes[256];
    BIGNUM *number = NULL;

    assert(EVP_PKEY_get_bn_param(pkey, name, &number) == 1);
    assert(BN_bn2binpad(number, bytes, len) == len);
    BN_free(number);
    buf_add(out, bytes, (size_t)len);
}

/* RFC 9052, section 7, and RFC 8230, section 4. */
static void add_cose_key(const SoftKey *key, Buf *out) {
    uint8_t raw[32];
    size_t len = sizeof(raw);

    switch (key->alg) {
    case SOFT_ES256:
        buf_add(out, "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", 10);
        add_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32, out);
        buf_add(out, "\x22\x58\x20", 3);
        add_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32, out);
        break;
    case SOFT_EDDSA:
        assert(EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) == 1);
        buf_add(out, "\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20", 10);
        buf_add(out, raw, len);
        break;
    default:
        buf_add(out, "\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00", 11);
        add_number(key->pkey, OSSL_PKEY_PARAM_RSA_N, 256, out);
        buf_add(out, "\x21\x43\x01\x00\x01", 5);
        break;
    }
}

void soft_auth_data(const SoftKey *key, const char *rp_id, bool attested, Buf *out) {
    static const uint8_t aaguid[16];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    const uint8_t tail[] = {(uint8_t)(key->flags | (attested ? SOFT_ATTESTED : 0)),
                            (uint8_t)(key->count >> 24), (uint8_t)(key->count >> 16),
                            (uint8_t)(key->count >> 8), (uint8_t)key->count};

    SHA256((const uint8_t *)rp_id, strlen(rp_id), hash);
    buf_add(out, hash, sizeof(hash));
    buf_add(out, tail, sizeof(tail));
    if (attested) {
        buf_add(out, aaguid, sizeof(aaguid));
        buf_add(out, (const uint8_t[]){0, SOFT_ID_LEN}, 2);
        buf_add(out, key->id, SOFT_ID_LEN);
        add_cose_key(key, out);
    }
}

void soft_sign(const SoftKey *key, Str auth_data, Str client_data, Buf *out) {
    const EVP_MD *md = key->alg == SOFT_EDDSA ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t hash[SHA256_DIGEST_LENGTH], signature[256];
    size_t len = sizeof(signature);
    Buf bytes = BUF_INIT;

    SHA256((const uint8_t *)client_data.ptr, client_data.len, hash);
    buf_add_str(&bytes, auth_data);
    buf_add(&bytes, hash, sizeof(hash));
    assert(EVP_DigestSignInit(context, NULL, md, NULL, key->pkey) == 1);
    assert(EVP_DigestSign(context, signature, &len, (const uint8_t *)bytes.data, bytes.len) == 1);
    EVP_MD_CTX_free(context);
    buf_done(&bytes);
    buf_add(out, signature, len);
}

static void add_bytes(Str bytes, Buf *out) {
    buf_add(out, (const uint8_t[]){0x59, (uint8_t)(bytes.len >> 8), (uint8_t)bytes.len}, 3);
    buf_add_str(out, bytes);
}

void soft_attestation(int alg, Str auth_data, Str signature, Buf *out) {
    buf_addf(out, "\xa3\x63"
                  "fmt");
    if (signature.len == 0) {
        buf_addf(out, "\x64none\x67"
                      "attStmt\xa0");
    } else {
        buf_addf(out, "\x66packed\x67"
                      "attStmt\xa2\x63"
                      "alg");
        if (alg == SOFT_RS256) {
            buf_add(out, "\x39\x01\x00", 3);
        } else {
            buf_add(out, alg == SOFT_ES256 ? "\x26" : "\x27", 1);
        }
        buf_addf(out, "\x63sig");
        add_bytes(signature, out);
    }
    buf_addf(out, "\x68"
                  "authData");
    add_bytes(auth_data, out);
}
