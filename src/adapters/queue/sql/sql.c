/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/sql/sql.h"

#include "adapters/queue/sql/sql_private.h"
#include "base/clock.h"
#include "base/error.h"

#include <limits.h>

#define POLL_MS_DEFAULT 100
/* All want the same first rows, and under SERIALIZABLE most would run again; measured best of 1, 2,
 * 4, 8 and any number. SQLite has turns of its own. */
#define TAKERS_POSTGRES 2

int queue_sql_run(DbTx *tx, const DbStatement *statement, const DbValue *params,
                  uint64_t *ret_changed) {
    int r = db_exec(tx, statement, params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

typedef struct Putting {
    QueueSql *self;
    const QueueJob *jobs;
    size_t n;
    int64_t now_us;
    int64_t turns[QUEUE_PUT_MAX];
} Putting;

static bool is_delayed(const Putting *putting, size_t i) {
    return putting->jobs[i].not_before_us > putting->now_us;
}

static int read_turns(DbTx *tx, void *userdata) {
    Putting *putting = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int r = 0;

    for (size_t i = 0; i < putting->n && r == 0; i++) {
        const QueueJob *job = &putting->jobs[i];
        if (!is_delayed(putting, i)) {
            r = turns_read(tx, &job->user_id, job->kind, job->lane, arena, &putting->turns[i]);
        }
    }
    return r;
}

static int write_jobs(DbTx *tx, void *userdata) {
    const Putting *putting = userdata;
    int64_t now_us = putting->now_us;

    for (size_t i = 0; i < putting->n; i++) {
        const QueueJob *job = &putting->jobs[i];
        DbValue user = DB_BLOB(uuid_str(&job->user_id)), id = DB_BLOB(uuid_str(&job->id));
        bool delayed = is_delayed(putting, i), large = job->payload.len > INLINE_LEN_MAX;
        uint64_t changed;
        int r = queue_sql_run(
            tx, &queue_statements[JOB_PUT],
            (DbValue[]){user, id, DB_TEXT(str_from(job->kind)),
                        DB_INT(delayed ? STATE_DELAYED : STATE_READY), DB_INT(job->lane),
                        DB_INT(job->lane), DB_INT(putting->turns[i]), DB_INT(now_us),
                        DB_INT(now_us),
                        DB_INT(delayed ? job->not_before_us
                                       : queue_sql_rises_us(putting->self, job->lane, now_us)),
                        large ? DB_NULL : DB_BLOB(job->payload)},
            &changed);
        if (r == 0 && large && changed > 0) {
            r = queue_sql_run(tx, &queue_statements[PAYLOAD_PUT],
                              (DbValue[]){user, id, DB_BLOB(job->payload)}, NULL);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/*
 * Turns are read apart from writing: they may be a little out of date, and writing without having
 * read anything is in nobody's way.
 */
static int put(Queue *queue, const QueueJob *jobs, size_t n) {
    QueueSql *self = queue_sql_of(queue);
    Putting putting = {.self = self, .jobs = jobs, .n = n, .now_us = self->now_us()};
    int r = db_read(self->db, NULL, read_turns, &putting);

    for (size_t i = 0; i < n && r == 0; i++) {
        putting.turns[i] = turns_give(&self->turns, &jobs[i].user_id, jobs[i].kind, jobs[i].lane,
                                      putting.turns[i]);
    }
    if (r == 0) {
        r = db_write(self->db, write_jobs, &putting, NULL);
    }
    if (r < 0) {
        return err_trace(r);
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_delayed(&putting, i)) {
            waiters_wake(&self->waiters, jobs[i].kind);
        }
    }
    queue_count(self->counters.put, (unsigned)n);
    return 0;
}

/* A statement about a job by its lease, or by its identity alone. */
typedef struct Change {
    int statement;
    const DbValue *params;
    const QueueLease *done; /* its payload goes too */
    uint64_t changed;
} Change;

static int change_work(DbTx *tx, void *userdata) {
    Change *change = userdata;
    int r =
        queue_sql_run(tx, &queue_statements[change->statement], change->params, &change->changed);

    if (r == 0 && change->changed > 0 && change->done &&
        change->done->job.payload.len > INLINE_LEN_MAX) {
        r = queue_sql_run(tx, &queue_statements[PAYLOAD_DONE], change->params, NULL);
    }
    return r;
}

/* 0, QUEUE_E_LOST, or a fault. */
static int change_lease(QueueSql *self, Change *change, Metric *counter) {
    int r = db_write(self->db, change_work, change, NULL);

    if (r < 0) {
        return err_trace(r);
    }
    if (change->changed == 0) {
        return QUEUE_E_LOST;
    }
    queue_count(counter, 1);
    return 0;
}

static int done(Queue *queue, const QueueLease *lease) {
    QueueSql *self = queue_sql_of(queue);
    const DbValue params[] = {DB_BLOB(uuid_str(&lease->job.user_id)),
                              DB_BLOB(uuid_str(&lease->job.id)), DB_INT(lease->token)};

    return change_lease(self, &(Change){LEASE_DONE, params, lease, 0}, self->counters.done);
}

static int extend(Queue *queue, const QueueLease *lease, uint32_t visibility_ms) {
    QueueSql *self = queue_sql_of(queue);
    int64_t now_us = self->now_us();
    const DbValue params[] = {DB_INT(now_us), DB_INT(now_us + (int64_t)visibility_ms * 1000),
                              DB_BLOB(uuid_str(&lease->job.user_id)),
                              DB_BLOB(uuid_str(&lease->job.id)), DB_INT(lease->token)};

    return change_lease(self, &(Change){LEASE_EXTEND, params, NULL, 0}, NULL);
}

static int fail(Queue *queue, const QueueLease *lease, const char *reason, uint32_t delay_ms) {
    QueueSql *self = queue_sql_of(queue);
    bool dead = delay_ms == QUEUE_RETRY_NEVER || lease->attempt >= self->policy.attempts_max;
    uint32_t ms = delay_ms == QUEUE_RETRY_BACKOFF
                      ? queue_policy_backoff_ms(&self->policy, lease->attempt)
                      : delay_ms;
    int64_t now_us = self->now_us();
    const DbValue params[] = {DB_INT(now_us),
                              DB_INT(dead ? NEVER_US : now_us + (int64_t)ms * 1000),
                              DB_TEXT(str_from(reason)),
                              DB_BLOB(uuid_str(&lease->job.user_id)),
                              DB_BLOB(uuid_str(&lease->job.id)),
                              DB_INT(lease->token)};

    return change_lease(self, &(Change){dead ? LEASE_DIE : LEASE_DELAY, params, NULL, 0},
                        dead ? self->counters.dead : self->counters.failed);
}

static void stop(Queue *queue) {
    waiters_stop(&queue_sql_of(queue)->waiters);
}

static Queue *sql_free(Queue *queue) {
    QueueSql *self = queue_sql_of(queue);

    waiters_done(&self->waiters);
    turns_done(&self->turns);
    sem_destroy(&self->takers);
    free(self);
    return NULL;
}

static const QueueImpl sql_impl = {
    .put = put,
    .take = queue_sql_take,
    .extend = extend,
    .done = done,
    .fail = fail,
    .dead_list = queue_sql_dead_list,
    .dead_requeue = queue_sql_dead_requeue,
    .dead_remove = queue_sql_dead_remove,
    .erase_user = queue_sql_erase_user,
    .stats = queue_sql_stats,
    .stop = stop,
    .free = sql_free,
};

static int end_leases(DbTx *tx, void *userdata) {
    (void)userdata;
    return queue_sql_run(tx, &queue_statements[LEASES_END], NULL, NULL);
}

int queue_sql_new(const QueueSqlOptions *options, Queue **ret_queue) {
    _cleanup_(queue_freep) Queue *queue = NULL;
    QueueSql *self = calloc(1, sizeof(*self));
    const char *wrong;
    int r;

    if (!self) {
        return err_trace(-ENOMEM);
    }
    *self = (QueueSql){.queue.impl = &sql_impl,
                       .db = options->db,
                       .policy = options->policy,
                       .poll_ms = options->poll_ms > 0 ? options->poll_ms : POLL_MS_DEFAULT,
                       .now_us = options->now_us ? options->now_us : clock_unix_us,
                       .choices = queue_choices[db_dialect(options->db)]};
    turns_init(&self->turns);
    sem_init(&self->takers, 0,
             db_dialect(options->db) == DB_DIALECT_POSTGRES ? TAKERS_POSTGRES : SEM_VALUE_MAX);
    waiters_init(&self->waiters);
    queue_counters_init(&self->counters, options->metrics);
    queue = &self->queue;
    r = queue_policy_complete(&self->policy);
    if (r == 0) {
        r = db_check(self->db, queue_statements, _QUEUE_STATEMENTS_MAX, &wrong);
    }
    if (r == 0) {
        r = db_check(self->db, self->choices, _QUEUE_CHOICES_MAX, &wrong);
    }
    if (r == 0) {
        r = queue_sql_follow_clock(self);
    }
    if (r == 0 && options->alone) {
        r = db_write(self->db, end_leases, NULL, NULL);
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_queue = TAKE_PTR(queue);
    return 0;
}
