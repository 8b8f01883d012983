/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/digest.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sodium.h>

/* EVP_sha256() is looked up anew with every use, which costs more than hashing a token does. */
static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256) {
        abort();
    }
}

void digest_sha256(Str bytes, uint8_t ret_digest[DIGEST_LEN]) {
    unsigned len = 0;

    pthread_once(&once, fetch);
    if (!EVP_Digest(bytes.ptr, bytes.len, ret_digest, &len, sha256, NULL) || len != DIGEST_LEN) {
        abort();
    }
}

void digest_sha512(Str bytes, uint8_t ret_digest[DIGEST_512_LEN]) {
    crypto_hash_sha512(ret_digest, (const uint8_t *)bytes.ptr, bytes.len);
}

void digest_sha1(Str bytes, uint8_t ret_digest[DIGEST_SHA1_LEN]) {
    if (!EVP_Digest(bytes.ptr ? bytes.ptr : "", bytes.len, ret_digest, NULL, EVP_sha1(), NULL)) {
        abort();
    }
}

/* libsodium's, as its state lives on the stack and OpenSSL 3's MACs cost a look-up each. */
void digest_hmac(Str key, Str bytes, uint8_t ret_digest[DIGEST_LEN]) {
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const uint8_t *)key.ptr, key.len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)bytes.ptr, bytes.len);
    crypto_auth_hmacsha256_final(&state, ret_digest);
    sodium_memzero(&state, sizeof(state));
}

void digest_hkdf(Str key, Str salt, Str info, uint8_t *ret_bytes, size_t len) {
    /* OSSL_PARAM takes no const pointers, but only reads these. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key.ptr, key.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.ptr, info.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.ptr, salt.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;

    assert(key.len > 0 && len > 0 && len <= HKDF_LEN_MAX);
    if (salt.len == 0) {
        params[3] = OSSL_PARAM_construct_end();
    }
    if (!context || EVP_KDF_derive(context, ret_bytes, len, params) <= 0) {
        abort();
    }
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

bool digest_equal(const void *a, const void *b, size_t len) {
    return CRYPTO_memcmp(a, b, len) == 0;
}

void hex_encode(Str bytes, char *ret_text) {
    sodium_bin2hex(ret_text, 2 * bytes.len + 1, (const uint8_t *)bytes.ptr, bytes.len);
}

int hex_decode(Str text, uint8_t *ret_bytes, size_t len) {
    size_t got;

    if (text.len % 2 != 0 || text.len / 2 != len) {
        return -EINVAL;
    }
    if (sodium_hex2bin(ret_bytes, len, text.ptr, text.len, NULL, &got, NULL) != 0 || got != len) {
        return -EINVAL;
    }
    return 0;
}
