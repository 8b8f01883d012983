/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/aead.h"

#include "base/crypto/random.h"
#include "base/crypto/secret.h"
#include "base/error.h"

#include <openssl/evp.h>
#include <pthread.h>

#define VERSION   1
#define NONCE_LEN 12
#define TAG_LEN   16

/* Fetched once, as the look-up costs more than sealing a short value. */
static EVP_CIPHER *aes256gcm;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void) {
    aes256gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!aes256gcm) {
        abort();
    }
}

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

static EVP_CIPHER_CTX *context_new(const uint8_t *key, const uint8_t *nonce, Str associated,
                                   bool sealing) {
    _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len;

    pthread_once(&once, fetch);
    if (!context || EVP_CipherInit_ex2(context, aes256gcm, key, nonce, sealing, NULL) <= 0) {
        return NULL;
    }
    if (associated.len > 0 && EVP_CipherUpdate(context, NULL, &len, (const uint8_t *)associated.ptr,
                                               (int)associated.len) <= 0) {
        return NULL;
    }
    return TAKE_PTR(context);
}

/* GCM has no blocks to pad: as many bytes come out as go in. */
static bool update(EVP_CIPHER_CTX *context, const void *in, size_t in_len, uint8_t *out) {
    int len = 0;

    return in_len == 0 ||
           (EVP_CipherUpdate(context, out, &len, in, (int)in_len) > 0 && (size_t)len == in_len);
}

int aead_seal(const uint8_t key[AEAD_KEY_LEN], Str plain, Str associated, uint8_t *ret_sealed) {
    _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
    uint8_t *nonce = ret_sealed + 1, *text = nonce + NONCE_LEN, *tag = text + plain.len;
    int len = 0;

    if (plain.len > AEAD_PLAIN_MAX || associated.len > AEAD_PLAIN_MAX) {
        return err_trace(-EMSGSIZE);
    }
    ret_sealed[0] = VERSION;
    random_bytes(nonce, NONCE_LEN);
    context = context_new(key, nonce, associated, true);
    if (!context || !update(context, plain.ptr, plain.len, text) ||
        EVP_CipherFinal_ex(context, tag, &len) <= 0 || len != 0 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) <= 0) {
        return err_trace(-EIO);
    }
    return 0;
}

int aead_open(const uint8_t key[AEAD_KEY_LEN], Str sealed, Str associated, uint8_t *ret_plain) {
    _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
    const uint8_t *nonce = (const uint8_t *)sealed.ptr + 1, *text = nonce + NONCE_LEN;
    uint8_t tag[TAG_LEN];
    size_t text_len;
    int len = 0;

    if (sealed.len < AEAD_OVERHEAD) {
        return AEAD_E_FORGED;
    }
    text_len = sealed.len - AEAD_OVERHEAD;
    if (text_len > AEAD_PLAIN_MAX || associated.len > AEAD_PLAIN_MAX) {
        return err_trace(-EMSGSIZE);
    }
    if (sealed.ptr[0] != VERSION) {
        memset(ret_plain, 0, text_len);
        return AEAD_E_FORGED;
    }
    memcpy(tag, text + text_len, TAG_LEN);
    context = context_new(key, nonce, associated, false);
    if (!context || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) <= 0 ||
        !update(context, text, text_len, ret_plain)) {
        secret_wipe(ret_plain, text_len);
        return err_trace(-EIO);
    }
    /* The text was deciphered before its tag was seen: nobody may look at it if that is wrong. */
    if (EVP_CipherFinal_ex(context, tag, &len) <= 0) {
        secret_wipe(ret_plain, text_len);
        return AEAD_E_FORGED;
    }
    return 0;
}
