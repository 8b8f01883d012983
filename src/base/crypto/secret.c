/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/secret.h"

#include <sodium.h>

void *secret_alloc(size_t size) {
    void *secret;

    if (sodium_init() < 0) {
        abort();
    }
    secret = sodium_malloc(size);
    if (!secret) {
        abort();
    }
    return memset(secret, 0, size);
}

void *secret_free(void *secret) {
    sodium_free(secret);
    return NULL;
}
