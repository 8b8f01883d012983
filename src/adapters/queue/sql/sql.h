/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The job queue in the database's tables queue_job and queue_payload: on SQLite the embedded
 * default, on PostgreSQL shared by all processes. Jobs put by this process wake its own takers at
 * once; those of other processes are found by looking, every `poll_ms` or so.
 *
 * Leases and delays are by the wall clock. When it is set forward, leases lapse early, and their
 * jobs are done twice at worst; when it is set back by more than a minute, that is noticed and what
 * waits is moved back with it, except for times that a caller gave (not_before_us).
 */

#include "core/ports/db.h"
#include "core/ports/queue_impl.h"

typedef struct QueueSqlOptions {
    Db *db;     /* migrated; outlives the queue */
    bool alone; /* no other process has jobs of it: leases that are there were a dead one's */
    QueuePolicy policy;
    uint32_t poll_ms;        /* 0: 100 */
    int64_t (*now_us)(void); /* NULL: clock_unix_us() */
    Metrics *metrics;        /* outlives the queue; or NULL */
} QueueSqlOptions;

/* 0; -EINVAL for a policy out of bounds or statements that the database does not take; a fault of
 * the database. */
int queue_sql_new(const QueueSqlOptions *options, Queue **ret_queue);
