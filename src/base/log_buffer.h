/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lines of the log on their way to standard error, for a process that writes many: those that come
 * close together go out in one write(). A line that comes alone is written at once, any other
 * within LOG_BUFFER_DELAY_MS. What is gathered is written when the buffer ends, and by a process
 * that a fault's signal ends; only SIGKILL loses it. Thread-safe.
 */

#include "base/str.h"

#define LOG_BUFFER_DELAY_MS 20
#define LOG_BUFFER_SIZE     ((size_t)64 << 10)

/* From now on lines are gathered; one thread more. A fault when that cannot be had. */
int log_buffer_start(void);
/* Writes what is there; from now on nothing is gathered. Does nothing when it was not started. */
void log_buffer_end(void);

/* Of whole lines; `at_once`: with all before it, when this returns. */
void log_buffer_write(Str line, bool at_once);
