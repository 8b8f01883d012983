/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/content_hash.h"

#include "base/error.h"
#include "base/fd.h"

#include <openssl/evp.h>
#include <poll.h>

#define PIECE_LEN ((size_t)1 << 20)

struct ContentHash {
    EVP_MD_CTX *context;
};

ContentHash *content_hash_new(void) {
    ContentHash *hash = calloc(1, sizeof(*hash));

    if (!hash || !(hash->context = EVP_MD_CTX_new()) ||
        EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        abort(); /* nothing but exhausted memory */
    }
    return hash;
}

ContentHash *content_hash_free(ContentHash *hash) {
    if (hash) {
        EVP_MD_CTX_free(hash->context);
        free(hash);
    }
    return NULL;
}

void content_hash_add(ContentHash *hash, const void *bytes, size_t len) {
    if (EVP_DigestUpdate(hash->context, bytes, len) != 1) {
        abort();
    }
}

void content_hash_end(ContentHash *hash, uint8_t ret_digest[DIGEST_LEN]) {
    if (EVP_DigestFinal_ex(hash->context, ret_digest, NULL) != 1) {
        abort();
    }
}

int content_hash_add_file(ContentHash *hash, int fd, uint64_t len, int stop_fd) {
    _cleanup_(freep) char *piece = malloc(PIECE_LEN);
    uint64_t offset = 0;

    if (!piece) {
        abort();
    }
    while (offset < len) {
        struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
        size_t n = (size_t)MIN(len - offset, (uint64_t)PIECE_LEN);
        int r = fd_pread_all(fd, piece, n, offset);
        if (r < 0) {
            return err_trace(r);
        }
        if (stop_fd >= 0 && poll(&stop, 1, 0) > 0) {
            return -EINTR;
        }
        content_hash_add(hash, piece, n);
        offset += n;
    }
    return 0;
}
