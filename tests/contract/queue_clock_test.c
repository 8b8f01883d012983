/* SPDX-License-Identifier: Apache-2.0 */

/* What the queue in SQL does when the wall clock is set: on the database of the URL in argv[1]. */

#include "base/clock.h"
#include "contract/queue_testing.h"

#include <stdatomic.h>
#include <stdio.h>

#define HOUR_US  (3600LL * 1000000)
#define SHORT_MS 1000

static QueueEngine engine;
static Queue *queue;
static _Atomic int64_t ahead_us;

static int64_t now_us(void) {
    return clock_unix_us() + atomic_load(&ahead_us);
}

static void put(const char *kind) {
    QueueJob job = queue_testing_job(kind, QUEUE_FREE_BATCH, 1, "x");

    queue_testing_put(queue, &job);
}

static int look(const char *kind, Arena *arena, QueueLease *ret_lease) {
    return queue_testing_take(queue, kind, SHORT_MS, 0, arena, ret_lease);
}

static void set_forward_leases_lapse_once(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueLease first, second, third;

    (void)state;
    put("forward");
    assert_int_equal(look("forward", arena, &first), 0);
    assert_int_equal(look("forward", arena, &second), QUEUE_E_NONE);
    atomic_fetch_add(&ahead_us, HOUR_US);
    assert_int_equal(look("forward", arena, &second), 0);
    assert_int_equal(second.attempt, 2);
    assert_int_equal(look("forward", arena, &third), QUEUE_E_NONE);
    assert_int_equal(queue_done(queue, &first), QUEUE_E_LOST);
    assert_int_equal(queue_done(queue, &second), 0);
    assert_int_equal(look("forward", arena, &third), QUEUE_E_NONE);
}

/* Not an hour later. */
static void set_back_leases_and_retries_do_not_last_longer(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    uint64_t start = clock_mono_ms();
    QueueLease lease;

    (void)state;
    put("back_lease");
    put("back_retry");
    assert_int_equal(look("back_lease", arena, &lease), 0);
    assert_int_equal(look("back_retry", arena, &lease), 0);
    assert_int_equal(queue_fail(queue, &lease, "later", SHORT_MS), 0);
    atomic_fetch_sub(&ahead_us, HOUR_US);
    lease = queue_testing_expect(queue, "back_lease", LONG_MS, arena);
    assert_int_equal(lease.attempt, 2);
    assert_int_equal(queue_done(queue, &lease), 0);
    lease = queue_testing_expect(queue, "back_retry", LONG_MS, arena);
    assert_int_equal(queue_done(queue, &lease), 0);
    assert_in_range(clock_mono_ms() - start, SHORT_MS - 20, PATIENCE_MS);
}

/* A worker that goes on keeps what it has, also when another process starts just then. */
static void set_back_a_lease_is_still_its_worker_s(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    QueueLease lease, other;
    QueueEngine second;

    put("kept");
    assert_int_equal(queue_testing_take(queue, "kept", LONG_MS, 0, arena, &lease), 0);
    atomic_fetch_sub(&ahead_us, HOUR_US);
    assert_int_equal(queue_engine_open(*state, &policy, now_us, &second), 0);
    assert_int_equal(queue_testing_take(second.queue, "kept", LONG_MS, 0, arena, &other),
                     QUEUE_E_NONE);
    queue_engine_close(&second);
    assert_int_equal(look("kept", arena, &other), QUEUE_E_NONE);
    assert_int_equal(queue_done(queue, &lease), 0);
}

static void a_time_that_the_caller_gave_stays(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueJob job = queue_testing_job("given", QUEUE_FREE_BATCH, 1, "x");
    QueueLease lease;

    (void)state;
    job.not_before_us = now_us() + HOUR_US;
    queue_testing_put(queue, &job);
    atomic_fetch_sub(&ahead_us, HOUR_US);
    assert_int_equal(look("given", arena, &lease), QUEUE_E_NONE);
    atomic_fetch_add(&ahead_us, HOUR_US + HOUR_US / 2);
    assert_int_equal(look("given", arena, &lease), QUEUE_E_NONE);
    atomic_fetch_add(&ahead_us, HOUR_US / 2);
    assert_int_equal(look("given", arena, &lease), 0);
    assert_int_equal(queue_done(queue, &lease), 0);
}

/* Behind a lane that is never empty; then in it, where users take turns. */
static void each_bound_of_waiting_lifts_it_by_a_lane(void **state) {
    enum {
        LANES = _QUEUE_LANE_MAX - 1
    };
    _cleanup_(arena_freep) Arena *arena = arena_new();
    QueueLease lease;

    (void)state;
    put("rise");
    for (int lane = LANES - 1; lane >= 0; lane--) {
        for (unsigned i = 0; i < 2; i++) {
            QueueJob job = queue_testing_job("rise", (QueueLane)lane, 2, "other");
            queue_testing_put(queue, &job);
        }
        assert_int_equal(look("rise", arena, &lease), 0);
        assert_true(str_equal(lease.job.payload, str_lit("other")));
        assert_int_equal(queue_done(queue, &lease), 0);
        /* The default bound. */
        atomic_fetch_add(&ahead_us, 5LL * 60 * 1000000 + 1000);
        assert_int_equal(look("nothing", arena, &lease), QUEUE_E_NONE);
    }
    /* Those that were left rose with it: it is one of the two first, having come first. */
    for (unsigned i = 0, seen = 0; i < 1 + LANES; i++) {
        assert_int_equal(look("rise", arena, &lease), 0);
        seen += str_equal(lease.job.payload, str_lit("x"));
        assert_true(i < 1 || seen == 1);
        assert_int_equal(queue_done(queue, &lease), 0);
    }
}

int main(int argc, char **argv) {
    const QueuePolicy policy = {.attempts_max = ATTEMPTS_MAX};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_forward_leases_lapse_once),
        cmocka_unit_test(set_back_leases_and_retries_do_not_last_longer),
        cmocka_unit_test_prestate(set_back_a_lease_is_still_its_worker_s,
                                  argc > 1 ? argv[1] : NULL),
        cmocka_unit_test(a_time_that_the_caller_gave_stays),
        cmocka_unit_test(each_bound_of_waiting_lifts_it_by_a_lane),
    };
    int failed;

    if (argc != 2 || queue_engine_open(argv[1], &policy, now_us, &engine) != 0) {
        fprintf(stderr, "usage: queue_clock_contract URL\n");
        return 2;
    }
    queue = engine.queue;
    queue_engine_empty(&engine);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    queue_engine_close(&engine);
    return failed;
}
