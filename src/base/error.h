/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errors. Every function that can fail returns an int:
 *   0         done
 *   negative  a fault (-errno): nobody can handle it here, forward it with err_trace()
 *   positive  a condition that this one function documents; the caller handles it and never
 *             forwards the bare number
 * Outputs (`ret_...`) are written only on 0.
 */

#include <errno.h>

/* Returns r; a fault leaves a line with the place it passed through in the log's debug level. */
#define err_trace(r) err_trace_at((r), __FILE__, __LINE__)
int err_trace_at(int r, const char *file, int line);

/* The current errno as a fault; -EIO when a library left errno at 0. */
int err_errno(void);
