/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rows of independent work on a few threads. */

#include <stdint.h>

typedef void ParallelFn(void *userdata, uint32_t from, uint32_t to);

/*
 * Calls fn for parts that together cover 0 ... count, each at least `least` long, on at most as
 * many threads as imaging_start() was given. Returns when all are done; where no thread can be had
 * the caller does its work too. The result must not depend on the cut.
 */
void parallel_for(uint32_t count, uint32_t least, ParallelFn *fn, void *userdata);
