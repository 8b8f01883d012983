/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OpenSSL's own functions for SHA-256 alone, because the state behind EVP cannot be taken out. They
 * are deprecated in favour of EVP, not to go, and use the processor's instructions as that does.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/crypto/running_digest.h"

#include <endian.h>
#include <openssl/sha.h>

void running_digest_init(RunningDigest *digest) {
    SHA256_CTX context;

    SHA256_Init(&context);
    *digest = (RunningDigest){0};
    memcpy(digest->h, context.h, sizeof(digest->h));
}

static void load(const RunningDigest *digest, SHA256_CTX *ret_context) {
    SHA256_Init(ret_context);
    memcpy(ret_context->h, digest->h, sizeof(digest->h));
    ret_context->Nl = (SHA_LONG)(digest->len << 3);
    ret_context->Nh = (SHA_LONG)(digest->len >> 29);
    ret_context->num = (unsigned)(digest->len % sizeof(digest->rest));
    memcpy(ret_context->data, digest->rest, ret_context->num);
}

void running_digest_add(RunningDigest *digest, Str bytes) {
    SHA256_CTX context;

    load(digest, &context);
    SHA256_Update(&context, bytes.ptr, bytes.len);
    memcpy(digest->h, context.h, sizeof(digest->h));
    digest->len += bytes.len;
    memcpy(digest->rest, context.data, context.num);
}

void running_digest_get(const RunningDigest *digest, uint8_t ret_digest[DIGEST_LEN]) {
    SHA256_CTX context;

    load(digest, &context);
    SHA256_Final(ret_digest, &context);
}

void running_digest_keep(const RunningDigest *digest, uint8_t ret_state[RUNNING_DIGEST_STATE_LEN]) {
    uint64_t len = htobe64(digest->len);

    for (size_t i = 0; i < ARRAY_LEN(digest->h); i++) {
        uint32_t word = htobe32(digest->h[i]);
        memcpy(ret_state + 4 * i, &word, sizeof(word));
    }
    memcpy(ret_state + sizeof(digest->h), &len, sizeof(len));
    memcpy(ret_state + sizeof(digest->h) + sizeof(len), digest->rest, sizeof(digest->rest));
}

void running_digest_resume(const uint8_t state[RUNNING_DIGEST_STATE_LEN],
                           RunningDigest *ret_digest) {
    uint64_t len;

    for (size_t i = 0; i < ARRAY_LEN(ret_digest->h); i++) {
        uint32_t word;
        memcpy(&word, state + 4 * i, sizeof(word));
        ret_digest->h[i] = be32toh(word);
    }
    memcpy(&len, state + sizeof(ret_digest->h), sizeof(len));
    ret_digest->len = be64toh(len);
    memcpy(ret_digest->rest, state + sizeof(ret_digest->h) + sizeof(len), sizeof(ret_digest->rest));
}
