/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Milliseconds of a clock that only goes forward; for time-outs and durations. */
uint64_t clock_mono_ms(void);
/* The same in microseconds. */
uint64_t clock_mono_us(void);
/* Seconds since 1970 (UTC). */
int64_t clock_unix_s(void);
/* The same in microseconds, which is how databases keep times. */
int64_t clock_unix_us(void);
