/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* SHA-256 of a file as it is read. */

#include "base/crypto/digest.h"

typedef struct ContentHash ContentHash;

ContentHash *content_hash_new(void);
ContentHash *content_hash_free(ContentHash *hash); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(ContentHash *, content_hash_free)
void content_hash_add(ContentHash *hash, const void *bytes, size_t len);
/* The digest of what was added; nothing can be added after. */
void content_hash_end(ContentHash *hash, uint8_t ret_digest[DIGEST_LEN]);

/* Adds the first `len` bytes of a file; -ENODATA: it ends before. -EINTR: stop_fd is readable. */
int content_hash_add_file(ContentHash *hash, int fd, uint64_t len, int stop_fd);
