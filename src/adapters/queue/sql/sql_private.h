/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "adapters/queue/sql/sql.h"
#include "adapters/queue/sql/statements.h"
#include "adapters/queue/sql/turns.h"
#include "adapters/queue/waiters.h"

#include <semaphore.h>
#include <stdatomic.h>

typedef struct QueueSql {
    Queue queue;
    Db *db;
    QueuePolicy policy;
    uint32_t poll_ms;
    int64_t (*now_us)(void);
    const DbStatement *choices;
    Turns turns;
    sem_t takers; /* how many more may look for a job at once */
    Waiters waiters;
    QueueCounters counters;
    _Atomic int64_t ticked_us;       /* now_us() of the last time */
    _Atomic int64_t clock_offset_us; /* the wall clock's to the one that only goes forward */
    _Atomic unsigned n_takes;        /* where to begin among kinds */
} QueueSql;

static inline QueueSql *queue_sql_of(Queue *queue) {
    return (QueueSql *)queue;
}

/* No statement here has a condition that it expects. 0 or a fault. */
int queue_sql_run(DbTx *tx, const DbStatement *statement, const DbValue *params,
                  uint64_t *ret_changed);

/* When a job that is ready now in that lane rises to the next. */
int64_t queue_sql_rises_us(const QueueSql *self, int64_t lane, int64_t now_us);

/* What has become due: see tick.c. */
typedef struct Tick {
    unsigned n_lapsed, n_dead, n_ready; /* for the counters, once it is committed */
} Tick;
int queue_sql_tick(QueueSql *self, DbTx *tx, int64_t now_us, Arena *arena, Tick *ret_tick);

/* Makes a job ready in that lane, with a turn. `attempts` and `reason` as they are from now on. */
typedef struct ReadyJob {
    const Uuid *user_id, *id;
    const char *kind;
    int64_t lane, attempts;
    Str reason;
} ReadyJob;
int queue_sql_make_ready(QueueSql *self, DbTx *tx, const ReadyJob *job, int64_t now_us,
                         Arena *arena);

/* After the wall clock was set back, and at the start. 0 or a fault. */
int queue_sql_follow_clock(QueueSql *self);

/* The functions of QueueImpl that are not in sql.c. */
int queue_sql_take(Queue *queue, const QueueTake *take, Arena *arena, QueueLease *ret_lease);
int queue_sql_dead_list(Queue *queue, size_t max, Arena *arena, QueueDead **ret_dead,
                        size_t *ret_n);
int queue_sql_dead_requeue(Queue *queue, const Uuid *user_id, const Uuid *id);
int queue_sql_dead_remove(Queue *queue, const Uuid *user_id, const Uuid *id);
int queue_sql_erase_user(Queue *queue, const Uuid *user_id, uint64_t *ret_n);
int queue_sql_stats(Queue *queue, QueueStats *ret_stats);
