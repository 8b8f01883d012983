/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the suites of the job queue share. Each test has kinds of its own, as the queue lives
 * through all of them. */

#include "base/test.h"
#include "contract/queue_engine.h"

/* Longer than anything takes, and so long that what must not come would have come. */
#define PATIENCE_MS 20000
#define NOTHING_MS  400
#define LONG_MS     60000

#define ATTEMPTS_MAX 3

/* A new job: of a user by number, with its number as the payload. */
QueueJob queue_testing_job(const char *kind, QueueLane lane, unsigned user, const char *payload);
void queue_testing_put(Queue *queue, const QueueJob *job);
/* What queue_take() says: 0 or QUEUE_E_NONE. */
int queue_testing_take(Queue *queue, const char *kind, uint32_t visibility_ms, uint32_t wait_ms,
                       Arena *arena, QueueLease *ret_lease);
/* There must be one. */
QueueLease queue_testing_expect(Queue *queue, const char *kind, uint32_t visibility_ms,
                                Arena *arena);
/* Takes and does the next: its payload, in the arena. */
const char *queue_testing_do(Queue *queue, const char *kind, Arena *arena);
/* How many of that kind there are in the dead letter; and one of them. */
size_t queue_testing_dead(Queue *queue, const char *kind, Arena *arena, QueueDead *ret_dead);
