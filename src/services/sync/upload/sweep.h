/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What uploads leave behind is cleared away: those that have expired, and what is nobody's in the
 * store (orphans.h). A thread of one of the processes that share the database, whichever has the
 * lease; two at once harm nobody.
 */

#include "services/sync/internal.h"

typedef struct Sweep Sweep;

extern const DbStatement sweep_statements[];
extern const size_t sweep_statements_len;

int sweep_start(SyncService *service, Sweep **ret_sweep);
Sweep *sweep_stop(Sweep *sweep); /* accepts NULL, returns NULL */
