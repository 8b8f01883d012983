/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include "base/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct Sum {
    unsigned n;
    pthread_t thread; /* that did it */
} Sum;

static Executor *executor_with(unsigned threads, unsigned queue_max) {
    Executor *executor;

    assert_int_equal(
        executor_new(&(ExecutorOptions){"aside", .threads = threads, .queue_max = queue_max},
                     &executor),
        0);
    return executor;
}

static void add_one(void *userdata) {
    Sum *sum = userdata;

    sum->n++;
    sum->thread = pthread_self();
}

static void does_each_once_and_in_order(void **state) {
    _cleanup_(executor_freep) Executor *executor = executor_with(2, 8);
    Sum sum = {0};

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        _cleanup_(aside_freep) Aside *aside = aside_new(executor);
        aside_start(aside, add_one, &sum);
        aside_start(aside, add_one, &sum);
        aside_join(aside);
        assert_int_equal(sum.n, 2 * i + 2);
        aside_join(aside);
        assert_int_equal(sum.n, 2 * i + 2);
    }
}

static void frees_only_what_has_ended(void **state) {
    _cleanup_(executor_freep) Executor *executor = executor_with(1, 1);
    Sum sum = {0};
    Aside *aside = aside_new(executor);

    (void)state;
    aside_start(aside, add_one, &sum);
    aside_free(aside);
    assert_int_equal(sum.n, 1);
}

static void works_without_an_executor(void **state) {
    _cleanup_(aside_freep) Aside *aside = aside_new(NULL);
    Sum sum = {0};

    (void)state;
    aside_start(aside, add_one, &sum);
    aside_join(aside);
    assert_int_equal(sum.n, 1);
    assert_true(pthread_equal(sum.thread, pthread_self()));
}

typedef struct Gate {
    atomic_bool began, open;
} Gate;

static void wait_for_gate(void *userdata, bool cancelled) {
    Gate *gate = userdata;

    (void)cancelled;
    atomic_store(&gate->began, true);
    while (!atomic_load(&gate->open)) {
        sched_yield();
    }
}

static void waits_for_no_thread_that_is_busy(void **state) {
    _cleanup_(executor_freep) Executor *executor = executor_with(1, 2);
    Gate gate = {0};
    Sum sum = {0};

    (void)state;
    assert_int_equal(executor_submit(executor, wait_for_gate, &gate), 0);
    while (!atomic_load(&gate.began)) {
        sched_yield();
    }
    for (unsigned i = 1; i <= 5; i++) { /* more than the queue holds */
        _cleanup_(aside_freep) Aside *aside = aside_new(executor);
        aside_start(aside, add_one, &sum);
        aside_join(aside);
        assert_int_equal(sum.n, i);
        assert_true(pthread_equal(sum.thread, pthread_self()));
    }
    atomic_store(&gate.open, true);
}

static void open_gate(void *userdata) {
    atomic_store(&((Gate *)userdata)->open, true);
}

static void runs_beside_its_owner(void **state) {
    _cleanup_(executor_freep) Executor *executor = executor_with(1, 1);
    _cleanup_(aside_freep) Aside *aside = aside_new(executor);
    Gate gate = {0};

    (void)state;
    aside_start(aside, open_gate, &gate);
    wait_for_gate(&gate, false); /* for ever, if it only ran when joined */
}

static void wait_for_gate_aside(void *userdata) {
    wait_for_gate(userdata, false);
}

static void holds_one_ready_behind_what_runs(void **state) {
    _cleanup_(executor_freep) Executor *executor = executor_with(1, 1);
    _cleanup_(aside_freep) Aside *aside = aside_new(executor);
    Gate gate = {0};
    Sum sum = {0};

    (void)state;
    aside_start(aside, wait_for_gate_aside, &gate);
    while (!atomic_load(&gate.began)) {
        sched_yield();
    }
    aside_start(aside, add_one, &sum); /* for ever, if it waited for the gate */
    assert_int_equal(sum.n, 0);
    open_gate(&gate);
    aside_join(aside);
    assert_int_equal(sum.n, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_each_once_and_in_order),
        cmocka_unit_test(frees_only_what_has_ended),
        cmocka_unit_test(works_without_an_executor),
        cmocka_unit_test(waits_for_no_thread_that_is_busy),
        cmocka_unit_test(runs_beside_its_owner),
        cmocka_unit_test(holds_one_ready_behind_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
