/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Memory that holds secrets. All functions are thread-safe. */

#include "base/macro.h"

#include <string.h>

/* Overwrites with zeros; the compiler cannot leave it out. `bytes` may be NULL when len is 0. */
static inline void secret_wipe(void *bytes, size_t len) {
    if (len > 0) {
        explicit_bzero(bytes, len);
    }
}

/*
 * Zeroed memory for long-lived secrets: between guard pages, locked so that it is not swapped (as
 * far as RLIMIT_MEMLOCK lets us), left out of core dumps. Costs at least four pages. Aborts the
 * process when memory is exhausted.
 */
void *secret_alloc(size_t size);
/* Wipes and releases; accepts NULL, returns NULL. */
void *secret_free(void *secret);
static inline void secret_freep(void *pointer) {
    secret_free(*(void **)pointer);
}
