/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The queue behind a URL, for the suites of core/ports/queue.h. */

#include "core/ports/db.h"
#include "core/ports/queue_impl.h"

typedef struct QueueEngine {
    Db *db; /* of SQL, migrated; else NULL */
    Queue *queue;
    bool is_exact; /* order and doubles are as a table knows them, and not as a broker does */
} QueueEngine;

/* "sqlite:PATH", "postgresql://..." or "amqp://...". 0, or a fault after having said why on
 * standard error. `now_us` may be NULL; only SQL heeds it. */
int queue_engine_open(const char *url, const QueuePolicy *policy, int64_t (*now_us)(void),
                      QueueEngine *ret_engine);
/* Of what another run left, where it would be in the way. */
void queue_engine_empty(QueueEngine *engine);
void queue_engine_close(QueueEngine *engine);
