/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *ret_bytes, size_t len) {
    char *at = ret_bytes;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            abort();
        }
        at += n;
        len -= (size_t)n;
    }
}
