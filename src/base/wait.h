/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * pthread_cond_wait() until clock_mono_ms() reaches `until_ms`, however the clock on the wall
 * jumps; `cond` needs no attributes. With the lock held. False: the time has come. True: woken, or
 * for no reason, as conditions are.
 */
bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ms);
