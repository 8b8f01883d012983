/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The jobs that were put beside new photos (core/queue/outbox.h), on their way into the queue. What
 * stays there, as after a crash, is moved the next time. Any thread. */

#include "services/sync/internal.h"

/* All that wait. Blocks. */
void jobs_move(SyncService *service);
/* On the service's executor: one such call is under way at a time, however many ask for it. */
void jobs_move_soon(SyncService *service);
