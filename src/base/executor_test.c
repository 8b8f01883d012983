/* SPDX-License-Identifier: Apache-2.0 */
#include "base/executor.h"

#include "base/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Work that says when it began and stays until the gate opens. */
typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    unsigned began, ran, cancelled;
    unsigned order[16];
} Gate;

typedef struct Step {
    Gate *gate;
    unsigned number;
} Step;

static void gate_init(Gate *gate) {
    *gate = (Gate){0};
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static void gate_done(Gate *gate) {
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

static void gate_open(Gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_wait_began(Gate *gate, unsigned least) {
    pthread_mutex_lock(&gate->lock);
    while (gate->began < least) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void pass(void *userdata, bool cancelled) {
    Step *step = userdata;
    Gate *gate = step->gate;

    pthread_mutex_lock(&gate->lock);
    if (cancelled) {
        gate->cancelled++;
    } else {
        gate->order[gate->began++] = step->number;
        pthread_cond_broadcast(&gate->changed);
        while (!gate->open) {
            pthread_cond_wait(&gate->changed, &gate->lock);
        }
        gate->ran++;
    }
    pthread_mutex_unlock(&gate->lock);
}

static Executor *start(unsigned threads, unsigned queue_max, Metrics *metrics) {
    Executor *executor = NULL;
    ExecutorOptions options = {"test", threads, queue_max, metrics};

    assert_int_equal(executor_new(&options, &executor), 0);
    return executor;
}

static void runs_in_order_and_says_when_full(void **state) {
    _cleanup_(metrics_freep) Metrics *metrics = metrics_new();
    _cleanup_(executor_freep) Executor *executor = start(1, 3, metrics);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    Gate gate;
    Step steps[4];

    (void)state;
    gate_init(&gate);
    for (unsigned i = 0; i < 4; i++) {
        steps[i] = (Step){&gate, i};
        assert_int_equal(executor_submit(executor, pass, &steps[i]), 0);
        if (i == 0) {
            gate_wait_began(&gate, 1); /* it runs, and three more may wait */
        }
    }
    assert_int_equal(executor_submit(executor, pass, &steps[0]), EXECUTOR_E_FULL);
    metrics_render(metrics, &text);
    assert_non_null(strstr(text.data, "imagesync_executor_queued{executor=\"test\"} 3\n"));
    assert_non_null(strstr(text.data, "imagesync_executor_running{executor=\"test\"} 1\n"));
    assert_non_null(strstr(text.data, "imagesync_executor_rejected_total{executor=\"test\"} 1\n"));
    gate_open(&gate);
    assert_true(executor_drain(executor, 10000));
    assert_int_equal(gate.ran, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(gate.order[i], i);
    }
    buf_done(&text);
    metrics_render(metrics, &text);
    assert_non_null(strstr(text.data, "imagesync_executor_queued{executor=\"test\"} 0\n"));
    assert_non_null(strstr(text.data, "imagesync_executor_running{executor=\"test\"} 0\n"));
    assert_non_null(
        strstr(text.data, "imagesync_executor_wait_seconds_count{executor=\"test\"} 4\n"));
    gate_done(&gate);
}

static void runs_as_much_at_once_as_it_has_threads(void **state) {
    _cleanup_(executor_freep) Executor *executor = start(3, 1, NULL);
    Gate gate;
    Step step = {&gate, 0};

    (void)state;
    gate_init(&gate);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(executor_submit(executor, pass, &step), 0);
        gate_wait_began(&gate, i); /* none has ended */
    }
    gate_open(&gate);
    assert_true(executor_drain(executor, 10000));
    gate_done(&gate);
}

static void draining_takes_nothing_more_and_has_a_limit(void **state) {
    _cleanup_(executor_freep) Executor *executor = start(1, 1, NULL);
    Gate gate;
    Step step = {&gate, 0};

    (void)state;
    gate_init(&gate);
    assert_int_equal(executor_submit(executor, pass, &step), 0);
    assert_false(executor_drain(executor, 10));
    assert_int_equal(executor_submit(executor, pass, &step), EXECUTOR_E_CLOSED);
    gate_open(&gate);
    assert_true(executor_drain(executor, 10000));
    assert_int_equal(gate.ran, 1);
    gate_done(&gate);
}

static void *end(void *executor) {
    executor_free(executor);
    return NULL;
}

static void ending_tells_what_did_not_run(void **state) {
    Executor *executor = start(1, 4, NULL);
    pthread_t thread;
    Gate gate;
    Step step = {&gate, 0};

    (void)state;
    gate_init(&gate);
    assert_int_equal(executor_submit(executor, pass, &step), 0);
    gate_wait_began(&gate, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(executor_submit(executor, pass, &step), 0);
    }
    assert_int_equal(pthread_create(&thread, NULL, end, executor), 0);
    while (executor_submit(executor, pass, &step) != EXECUTOR_E_CLOSED) {
        sched_yield(); /* the end has not begun: this takes the last place, and then it is full */
    }
    gate_open(&gate);
    pthread_join(thread, NULL);
    assert_int_equal(gate.ran, 1);
    assert_in_range(gate.cancelled, 3, 4);
    gate_done(&gate);
}

static void count(void *userdata, bool cancelled) {
    (void)cancelled;
    atomic_fetch_add((atomic_uint *)userdata, 1);
}

typedef struct Submitter {
    Executor *executor;
    atomic_uint *called;
    unsigned taken;
} Submitter;

static void *submit_many(void *userdata) {
    Submitter *submitter = userdata;

    for (unsigned i = 0; i < 5000; i++) {
        submitter->taken += executor_submit(submitter->executor, count, submitter->called) == 0;
    }
    return NULL;
}

/* Whatever is turned away: what was taken is called once each. */
static void nothing_taken_is_lost(void **state) {
    Executor *executor = start(4, 64, NULL);
    atomic_uint called = 0;
    Submitter submitters[4];
    pthread_t threads[4];
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        submitters[i] = (Submitter){executor, &called, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        taken += submitters[i].taken;
    }
    executor_free(executor);
    assert_true(taken > 0);
    assert_int_equal(atomic_load(&called), taken);
}

static void ask_priority(void *userdata, bool cancelled) {
    (void)cancelled;
    *(int *)userdata = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void threads_step_back_alone(void **state) {
    int here = getpriority(PRIO_PROCESS, 0), there = -1;
    Executor *executor = NULL;
    ExecutorOptions options = {.name = "test", .threads = 1, .queue_max = 1, .nice = 3};

    (void)state;
    assert_int_equal(executor_new(&options, &executor), 0);
    assert_int_equal(executor_submit(executor, ask_priority, &there), 0);
    assert_true(executor_drain(executor, 10000));
    executor_free(executor);
    assert_int_equal(there, MIN(here + 3, 19));
    assert_int_equal(getpriority(PRIO_PROCESS, 0), here);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_in_order_and_says_when_full),
        cmocka_unit_test(threads_step_back_alone),
        cmocka_unit_test(runs_as_much_at_once_as_it_has_threads),
        cmocka_unit_test(draining_takes_nothing_more_and_has_a_limit),
        cmocka_unit_test(ending_tells_what_did_not_run),
        cmocka_unit_test(nothing_taken_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
