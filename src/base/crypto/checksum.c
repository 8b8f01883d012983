/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/checksum.h"

#include <openssl/evp.h>

struct Checksum {
    EVP_MD_CTX *context;
    size_t len;
};

Checksum *checksum_new(Str name) {
    const EVP_MD *kind = str_equal(name, str_lit("sha1"))     ? EVP_sha1()
                         : str_equal(name, str_lit("sha256")) ? EVP_sha256()
                                                              : NULL;
    Checksum *checksum;

    if (!kind) {
        return NULL;
    }
    checksum = calloc(1, sizeof(*checksum));
    if (!checksum || !(checksum->context = EVP_MD_CTX_new()) ||
        !EVP_DigestInit_ex(checksum->context, kind, NULL)) {
        abort();
    }
    checksum->len = (size_t)EVP_MD_get_size(kind);
    return checksum;
}

Checksum *checksum_free(Checksum *checksum) {
    if (checksum) {
        EVP_MD_CTX_free(checksum->context);
        free(checksum);
    }
    return NULL;
}

size_t checksum_len(const Checksum *checksum) {
    return checksum->len;
}

void checksum_add(Checksum *checksum, Str bytes) {
    if (!EVP_DigestUpdate(checksum->context, bytes.ptr, bytes.len)) {
        abort();
    }
}

bool checksum_is(Checksum *checksum, Str expected) {
    uint8_t got[EVP_MAX_MD_SIZE];

    if (!EVP_DigestFinal_ex(checksum->context, got, NULL)) {
        abort();
    }
    return expected.len == checksum->len && memcmp(got, expected.ptr, expected.len) == 0;
}
