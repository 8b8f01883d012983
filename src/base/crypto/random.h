/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Unpredictable bytes from the kernel (getrandom(2)), good for keys, nonces and tokens. Waits for
 * the kernel's pool at boot; aborts the process when there are none to be had, as going on would
 * mean predictable keys. Thread-safe.
 */
void random_bytes(void *ret_bytes, size_t len);
