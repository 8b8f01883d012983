/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

uint64_t clock_mono_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void) {
    return clock_mono_us() / 1000;
}

int64_t clock_unix_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Not of time(), whose clock moves on with the kernel's tick: it would still be in the second that
 * clock_unix_us has left already. */
int64_t clock_unix_s(void) {
    return clock_unix_us() / 1000000;
}
