/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What ends by itself: leases lapse, delays pass, and those that wait long rise by a lane. Whoever
 * takes a job sees to it first, so nothing has to run for it.
 */

#include "adapters/queue/sql/sql_private.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>

/* Clocks of two machines may differ by so much. */
#define SKEW_US (60LL * 1000000)
/* A wall clock that falls behind the other by so much was set. */
#define SET_BACK_US 1000000

int64_t queue_sql_rises_us(const QueueSql *self, int64_t lane, int64_t now_us) {
    return lane == 0 ? NEVER_US : now_us + (int64_t)self->policy.aging_ms * 1000;
}

int queue_sql_make_ready(QueueSql *self, DbTx *tx, const ReadyJob *job, int64_t now_us,
                         Arena *arena) {
    int64_t turn;
    int r = turns_read(tx, job->user_id, job->kind, job->lane, arena, &turn);

    if (r < 0) {
        return err_trace(r);
    }
    return queue_sql_run(tx, &queue_statements[JOB_READY],
                         (DbValue[]){DB_INT(job->lane), DB_INT(turn), DB_INT(now_us),
                                     DB_INT(queue_sql_rises_us(self, job->lane, now_us)),
                                     DB_INT(job->attempts), DB_TEXT(job->reason),
                                     DB_BLOB(uuid_str(job->user_id)), DB_BLOB(uuid_str(job->id))},
                         NULL);
}

static int die(DbTx *tx, const DbValue *row, int64_t now_us, Str reason) {
    return queue_sql_run(
        tx, &queue_statements[JOB_DIE],
        (DbValue[]){DB_INT(now_us), DB_INT(NEVER_US), DB_TEXT(reason), row[0], row[1]}, NULL);
}

/* A row of JOBS_DUE. */
static int handle_due(QueueSql *self, DbTx *tx, const DbValue *row, int64_t now_us, Arena *arena,
                      Tick *tick) {
    int64_t state = row[3].integer, lane = row[4].integer;
    ReadyJob job = {.kind = row[2].bytes.ptr,
                    .lane = state == STATE_READY ? MAX(lane - 1, 0) : lane,
                    .attempts = row[5].integer,
                    .reason = row[7].bytes};
    Uuid user_id, id;

    if (uuid_from_str(row[0].bytes, &user_id) < 0 || uuid_from_str(row[1].bytes, &id) < 0) {
        return err_trace(-EBADMSG);
    }
    job.user_id = &user_id;
    job.id = &id;
    if (state == STATE_LEASED) {
        tick->n_lapsed++;
        job.reason = str_from(arena_printf(arena, "%s did not finish it in time",
                                           row[6].bytes.len > 0 ? row[6].bytes.ptr : "a worker"));
        if (job.attempts >= (int64_t)self->policy.attempts_max) {
            tick->n_dead++;
            return die(tx, row, now_us, job.reason);
        }
    }
    tick->n_ready++;
    return queue_sql_make_ready(self, tx, &job, now_us, arena);
}

int queue_sql_tick(QueueSql *self, DbTx *tx, int64_t now_us, Arena *arena, Tick *ret_tick) {
    DbRows rows;
    int r = db_query(tx, &self->choices[JOBS_DUE], (DbValue[]){DB_INT(now_us)}, DUE_AT_ONCE, arena,
                     &rows);

    *ret_tick = (Tick){0};
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        r = handle_due(self, tx, db_rows_at(&rows, i, 0), now_us, arena, ret_tick);
    }
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

typedef struct Follow {
    QueueSql *self;
    int64_t now_us;
    size_t n;
} Follow;

static int follow_work(DbTx *tx, void *userdata) {
    Follow *follow = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    int64_t now_us = follow->now_us;
    DbRows rows;
    int r = db_query(tx, &follow->self->choices[JOBS_AHEAD], (DbValue[]){DB_INT(now_us + SKEW_US)},
                     SET_BACK_AT_ONCE, arena, &rows);

    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        const DbValue *row = db_rows_at(&rows, i, 0);
        int64_t due_us = row[3].integer;
        if (due_us != NEVER_US) {
            due_us -= row[2].integer - now_us;
        }
        r = queue_sql_run(tx, &queue_statements[JOB_SET_BACK],
                          (DbValue[]){DB_INT(now_us), DB_INT(due_us), row[0], row[1]}, NULL);
    }
    follow->n = r == 0 ? rows.n_rows : 0;
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int follow_all(QueueSql *self) {
    Follow follow = {.self = self, .now_us = self->now_us()};
    int r;

    do {
        r = db_write(self->db, follow_work, &follow, NULL);
    } while (r == 0 && follow.n == SET_BACK_AT_ONCE);
    return r < 0 ? err_trace(r) : 0;
}

int queue_sql_follow_clock(QueueSql *self) {
    int64_t offset = self->now_us() - (int64_t)clock_mono_us();
    int64_t before = atomic_exchange(&self->clock_offset_us, offset);
    int r = 0;

    if (before == 0 || before - offset > SET_BACK_US) {
        r = follow_all(self);
        if (r < 0) {
            atomic_store(&self->clock_offset_us, before); /* so that it is tried again */
        }
    }
    return r;
}
