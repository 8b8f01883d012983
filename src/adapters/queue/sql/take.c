/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/sql/sql_private.h"
#include "base/clock.h"
#include "base/error.h"

/* What has become due waits so long at most while jobs are taken one after another. */
#define TICK_US 50000
/* Counting is for the metrics alone. */

typedef struct Taking {
    QueueSql *self;
    const QueueTake *take;
    Arena *arena;
    bool with_tick;
    /* What came of it. */
    bool found;
    QueueLease lease;
    Tick tick;
    int64_t first_due_us;
} Taking;

/*
 * Which of the kinds to take from: the one whose first job is in the foremost lane, and among those
 * each in its turn. DB_E_NONE.
 */
static int choose_kind(Taking *taking, DbTx *tx, const char **ret_kind) {
    const QueueTake *take = taking->take;
    size_t start = atomic_fetch_add(&taking->self->n_takes, 1) % take->n_kinds;
    int64_t lane = _QUEUE_LANE_MAX;
    const char *kind = NULL;

    if (take->n_kinds == 1) {
        *ret_kind = take->kinds[0];
        return 0;
    }
    for (size_t i = 0; i < take->n_kinds; i++) {
        const char *each = take->kinds[(start + i) % take->n_kinds];
        const DbValue *row;
        int r = db_query_one(tx, &queue_statements[HEAD_LANE], (DbValue[]){DB_TEXT(str_from(each))},
                             taking->arena, &row);
        if (r < 0) {
            return err_trace(r);
        }
        if (r == 0 && row[0].integer < lane) {
            lane = row[0].integer;
            kind = each;
        }
    }
    if (!kind) {
        return DB_E_NONE;
    }
    *ret_kind = kind;
    return 0;
}

static int get_payload(DbTx *tx, const DbValue *row, Arena *arena, Str *ret_payload) {
    const DbValue *large;
    int r;

    if (row[6].type != DB_TYPE_NULL) {
        *ret_payload = row[6].bytes;
        return 0;
    }
    r = db_query_one(tx, &queue_statements[PAYLOAD_GET], row, arena, &large);
    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    *ret_payload = large[0].bytes;
    return 0;
}

/* `row` is one of JOB_NEXT. */
static int lease_job(Taking *taking, DbTx *tx, const char *kind, const DbValue *row,
                     int64_t now_us) {
    const QueueTake *take = taking->take;
    QueueLease *lease = &taking->lease;
    uint64_t token = ((uint64_t)arc4random() << 31) ^ arc4random();
    int r;

    *lease = (QueueLease){.job.kind = arena_strdup(taking->arena, str_from(kind)),
                          .job.lane = (QueueLane)row[2].integer,
                          .attempt = (unsigned)row[5].integer + 1,
                          .token = token};
    if (uuid_from_str(row[0].bytes, &lease->job.user_id) < 0 ||
        uuid_from_str(row[1].bytes, &lease->job.id) < 0) {
        return err_trace(-EBADMSG);
    }
    r = get_payload(tx, row, taking->arena, &lease->job.payload);
    if (r == 0) {
        r = queue_sql_run(
            tx, &queue_statements[JOB_LEASE],
            (DbValue[]){DB_INT(now_us), DB_INT(now_us + (int64_t)take->visibility_ms * 1000),
                        DB_INT(token), DB_TEXT(str_from(take->worker)), row[0], row[1]},
            NULL);
    }
    taking->found = r == 0;
    return r < 0 ? err_trace(r) : 0;
}

static int take_work(DbTx *tx, void *userdata) {
    Taking *taking = userdata;
    QueueSql *self = taking->self;
    int64_t now_us = self->now_us();
    const char *kind = NULL;
    const DbValue *row;
    int r = 0;

    taking->found = false;
    taking->tick = (Tick){0};
    if (taking->with_tick) {
        r = queue_sql_tick(self, tx, now_us, taking->arena, &taking->tick);
    }
    if (r == 0) {
        r = choose_kind(taking, tx, &kind);
    }
    if (r == 0) {
        r = db_query_one(tx, &self->choices[JOB_NEXT], (DbValue[]){DB_TEXT(str_from(kind))},
                         taking->arena, &row);
    }
    if (r == 0) {
        r = lease_job(taking, tx, kind, row, now_us);
    } else if (r == DB_E_NONE) {
        taking->first_due_us = NEVER_US;
        r = db_query_one(tx, &queue_statements[FIRST_DUE], NULL, taking->arena, &row);
        if (r == 0) {
            taking->first_due_us = row[0].integer;
        }
        r = r == DB_E_NONE ? 0 : r;
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* Whether this call is the one of so many microseconds, by the clock that leases go by, whichever
 * way it was set. */
static bool is_tick(QueueSql *self) {
    int64_t now = self->now_us(), last = atomic_load(&self->ticked_us);

    return (now < last || now - last >= TICK_US) &&
           atomic_compare_exchange_strong(&self->ticked_us, &last, now);
}

/* 0, found or not; or a fault. */
static int try_to_take(Taking *taking, bool with_tick) {
    QueueSql *self = taking->self;
    int r = 0;

    taking->with_tick = is_tick(self) || with_tick;
    if (taking->with_tick) {
        r = queue_sql_follow_clock(self);
    }
    if (r == 0) {
        while (sem_wait(&self->takers) < 0) {
        }
        r = db_write(self->db, take_work, taking, NULL);
        sem_post(&self->takers);
    }
    if (r < 0) {
        return err_trace(r);
    }
    queue_count(self->counters.lapsed, taking->tick.n_lapsed);
    queue_count(self->counters.dead, taking->tick.n_dead);
    queue_count(self->counters.taken, taking->found);
    return 0;
}

static void count_sometimes(QueueSql *self) {
    QueueStats stats;

    if (queue_counters_due(&self->counters) && queue_sql_stats(&self->queue, &stats) == 0) {
        queue_counters_show(&self->counters, &stats);
    }
}

/* Looks until there is one or the time is up. 0, found or not; or a fault. */
static int look(Taking *taking, Waiter *waiter, uint64_t until_ms, bool *ret_looked_again) {
    QueueSql *self = taking->self;
    int r = try_to_take(taking, false);

    *ret_looked_again = false;
    if (r == 0 && !taking->found && taking->first_due_us <= self->now_us()) {
        r = try_to_take(taking, true);
    }
    while (r == 0 && !taking->found) {
        int64_t due_in_us = taking->first_due_us - self->now_us();
        *ret_looked_again = true;
        if (!waiters_wait(&self->waiters, waiter, until_ms, self->poll_ms,
                          due_in_us < 0 ? 0 : (uint64_t)due_in_us / 1000)) {
            break;
        }
        r = try_to_take(taking, taking->first_due_us <= self->now_us());
    }
    return r;
}

int queue_sql_take(Queue *queue, const QueueTake *take, Arena *arena, QueueLease *ret_lease) {
    QueueSql *self = queue_sql_of(queue);
    Taking taking = {.self = self, .take = take, .arena = arena};
    bool looked_again;
    Waiter waiter;
    int r;

    count_sometimes(self);
    waiters_join(&self->waiters, &waiter, take);
    r = look(&taking, &waiter, clock_mono_ms() + take->wait_ms, &looked_again);
    waiters_leave(&self->waiters, &waiter, taking.found);
    if (r < 0) {
        return err_trace(r);
    }
    if (!taking.found) {
        return QUEUE_E_NONE;
    }
    /* Where one was, that came by itself or from elsewhere, there may be more. */
    if (looked_again || taking.tick.n_ready > 1) {
        waiters_wake(&self->waiters, taking.lease.job.kind);
    }
    *ret_lease = taking.lease;
    return 0;
}
