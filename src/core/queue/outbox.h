/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Jobs that belong to a transaction: written with it into the table queue_outbox, and moved into
 * the queue once it is committed, whichever queue that is. So a job is there exactly when what it
 * is about is, also after a crash between the two.
 *
 * Whoever adds calls queue_outbox_move() after the commit; somebody does now and then, for what a
 * crash left. Blocks; thread-safe.
 */

#include "core/erasure/erased_table.h"
#include "core/ports/queue.h"

/* Who began to move jobs and did not end within this time has died. */
#define QUEUE_OUTBOX_CLAIM_US (30LL * 1000000)

/* Prepares the statements: as db_check(), with the name of a wrong one. */
int queue_outbox_check(Db *db, const char **reterr_name);

/* In the caller's transaction. A job that is there already stays as it is. 0, -EINVAL for what
 * queue_put() would not take, or a fault to be forwarded. */
int queue_outbox_add(DbTx *tx, const QueueJob *job);

/*
 * Moves at most QUEUE_PUT_MAX jobs, those of the smallest identifiers first, and counts them: call
 * it again while there are so many. After a fault of the queue they stay. A crash in between has
 * them put twice, under one identifier. `now_us` is clock_unix_us().
 */
int queue_outbox_move(Db *db, Queue *queue, int64_t now_us, size_t *ret_n);

/* For whoever erases a user. A job that is being moved meanwhile ends with nothing to do. */
extern const ErasedTable queue_outbox_table;
