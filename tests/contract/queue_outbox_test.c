/* SPDX-License-Identifier: Apache-2.0 */

/* Jobs that belong to a transaction, on the database of the URL in argv[1]. */

#include "base/clock.h"
#include "contract/queue_testing.h"
#include "core/queue/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static QueueEngine engine;

typedef struct Adding {
    const QueueJob *jobs;
    size_t n;
    int result;
} Adding;

static int add_work(DbTx *tx, void *userdata) {
    const Adding *adding = userdata;

    for (size_t i = 0; i < adding->n; i++) {
        int r = queue_outbox_add(tx, &adding->jobs[i]);
        if (r < 0) {
            return r;
        }
    }
    return adding->result;
}

static int add(const QueueJob *jobs, size_t n, int result) {
    return db_write(engine.db, add_work, &(Adding){jobs, n, result}, NULL);
}

static size_t move_at(int64_t now_us) {
    size_t n;

    assert_int_equal(queue_outbox_move(engine.db, engine.queue, now_us, &n), 0);
    return n;
}

static void a_job_is_there_when_its_transaction_is(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob kept = queue_testing_job("outbox", QUEUE_FREE_BATCH, 3, "kept");
    QueueJob lost = queue_testing_job("outbox", QUEUE_FREE_BATCH, 3, "lost");
    QueueLease lease;

    (void)state;
    assert_int_equal(add(&lost, 1, 42), 42);
    assert_int_equal(add(&kept, 1, 0), 0);
    assert_int_equal(add(&kept, 1, 0), 0);
    assert_int_equal(queue_testing_take(engine.queue, "outbox", LONG_MS, 0, arena, &lease),
                     QUEUE_E_NONE);
    assert_int_equal(move_at(clock_unix_us()), 1);
    assert_int_equal(move_at(clock_unix_us()), 0);
    lease = queue_testing_expect(engine.queue, "outbox", LONG_MS, arena);
    assert_true(uuid_equal(&lease.job.id, &kept.id));
    assert_true(uuid_equal(&lease.job.user_id, &kept.user_id));
    assert_int_equal(lease.job.lane, QUEUE_FREE_BATCH);
    assert_true(str_equal(lease.job.payload, str_lit("kept")));
    assert_int_equal(queue_done(engine.queue, &lease), 0);
    lost.kind = "No kind";
    assert_int_equal(add(&lost, 1, 0), -EINVAL);
}

static int refuse(Queue *queue, const QueueJob *jobs, size_t n) {
    (void)queue;
    (void)jobs;
    (void)n;
    return -ENOTCONN;
}

static void a_queue_that_is_away_gets_them_later(void **state) {
    static const QueueImpl away_impl = {.put = refuse};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = queue_testing_job("away", QUEUE_FREE_BATCH, 1, "x");
    Queue away = {&away_impl};
    size_t n;

    (void)state;
    assert_int_equal(add(&job, 1, 0), 0);
    assert_int_equal(queue_outbox_move(engine.db, &away, clock_unix_us(), &n), -ENOTCONN);
    assert_int_equal(move_at(clock_unix_us()), 1);
    assert_string_equal(queue_testing_do(engine.queue, "away", arena), "x");
}

/* Dies between the two: here, by moving into a queue that only seems to take it. */
static int stop_there(Queue *queue, const QueueJob *jobs, size_t n) {
    size_t moved;

    (void)queue;
    (void)jobs;
    (void)n;
    /* Meanwhile nobody else has it. */
    assert_int_equal(queue_outbox_move(engine.db, engine.queue, clock_unix_us(), &moved), 0);
    assert_int_equal(moved, 0);
    /* Unless this takes too long, or the clock was set back. */
    assert_int_equal(queue_outbox_move(engine.db, engine.queue,
                                       clock_unix_us() + QUEUE_OUTBOX_CLAIM_US + 1000000, &moved),
                     0);
    assert_int_equal(moved, 1);
    return 0;
}

static void what_a_crash_left_is_moved_by_another(void **state) {
    static const QueueImpl slow_impl = {.put = stop_there};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = queue_testing_job("crash", QUEUE_FREE_BATCH, 1, "x");
    Queue slow = {&slow_impl};
    size_t n;

    (void)state;
    assert_int_equal(add(&job, 1, 0), 0);
    assert_int_equal(queue_outbox_move(engine.db, &slow, clock_unix_us(), &n), 0);
    assert_int_equal(move_at(clock_unix_us()), 0);
    assert_string_equal(queue_testing_do(engine.queue, "crash", arena), "x");
}

static void *move_all(void *userdata) {
    size_t *total = userdata, n = 1;

    while (n > 0) {
        n = move_at(clock_unix_us());
        *total += n;
    }
    return NULL;
}

static void many_move_each_job_once(void **state) {
    enum {
        BATCHES = 6,
        BATCH = 50,
        MOVERS = 3
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    size_t totals[MOVERS] = {0}, total = 0;
    pthread_t movers[MOVERS];
    QueueLease lease;

    (void)state;
    for (unsigned i = 0; i < BATCHES; i++) {
        QueueJob jobs[BATCH];
        for (unsigned k = 0; k < BATCH; k++) {
            jobs[k] = queue_testing_job("many", QUEUE_PAID_BATCH, k, "x");
        }
        assert_int_equal(add(jobs, BATCH, 0), 0);
    }
    for (unsigned i = 0; i < MOVERS; i++) {
        pthread_create(&movers[i], NULL, move_all, &totals[i]);
    }
    for (unsigned i = 0; i < MOVERS; i++) {
        pthread_join(movers[i], NULL);
        total += totals[i];
    }
    total += move_at(clock_unix_us());
    assert_int_equal(total, BATCHES * BATCH);
    for (unsigned i = 0; i < BATCHES * BATCH; i++) {
        assert_string_equal(queue_testing_do(engine.queue, "many", arena), "x");
    }
    assert_int_equal(queue_testing_take(engine.queue, "many", LONG_MS, 0, arena, &lease),
                     QUEUE_E_NONE);
}

int main(int argc, char **argv) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_there_when_its_transaction_is),
        cmocka_unit_test(a_queue_that_is_away_gets_them_later),
        cmocka_unit_test(what_a_crash_left_is_moved_by_another),
        cmocka_unit_test(many_move_each_job_once),
    };
    const char *wrong;
    int failed;

    if (argc != 2 || queue_engine_open(argv[1], &policy, NULL, &engine) != 0 ||
        queue_outbox_check(engine.db, &wrong) < 0) {
        fprintf(stderr, "usage: queue_outbox_contract URL\n");
        return 2;
    }
    queue_engine_empty(&engine);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    queue_engine_close(&engine);
    return failed;
}
