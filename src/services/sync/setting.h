/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Short texts that all processes of the sync service share, by name (table sync_setting). Calls run
 * in a transaction of the caller's. */

#include "core/ports/db.h"

/* *ret_value, of `len` characters and NUL, is "" when there is none. 0, or a fault: -EBADMSG when
 * it has another length. */
int setting_get(DbTx *tx, const char *name, size_t len, char *ret_value);
/* Unless there is one. 0 or a fault. */
int setting_add(DbTx *tx, const char *name, const char *value);
/*
 * Whether the caller may do for the next `lease_us` what one process at a time does; whoever it was
 * last may not either until then. A lease that lasts longer than a new one is from before the clock
 * was set back, and counts for nothing. 0 or a fault.
 */
int setting_lease(DbTx *tx, const char *name, int64_t lease_us, bool *ret_taken);
/* Whether there is one or not. 0 or a fault. */
int setting_set(DbTx *tx, const char *name, const char *value);
