/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/pool_testing.h"

static void renders_and_probes(void **state) {
    PoolOptions options = options_default();
    Fixture *f = open_pool(&options);
    RendererStats stats;

    (void)state;
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    assert_int_equal(f->sink.last.output_len, 6);
    assert_int_equal(f->sink.last.format, OUTPUT_FORMAT_PNG);
    assert_true(f->sink.last.timings.inference == 5);
    submit(f, "ok", &(RenderJob){.op = RENDER_PROBE});
    assert_int_equal(wait_for(f, 2), RENDER_OK);
    assert_int_equal(f->sink.last.info.height, 3);
    assert_int_equal(f->sink.last.output_fd, -1);
    submit(f, "no-subject", NULL);
    assert_int_equal(wait_for(f, 3), RENDER_NO_FOREGROUND);
    renderer_stats(f->renderer, &stats);
    assert_true(stats.ready);
    assert_int_equal(stats.memory_admitted, 0);
    assert_int_equal(stats.worker_restarts, 0);
    close_pool(f);
}

static void a_worker_that_fails_costs_one_retry(void **state) {
    static const char *const words[] = {"crash",   "closed",      "wrong-id",   "oversized",
                                        "garbage", "unknown-op",  "with-fd",    "mapped",
                                        "short",   "ready-again", "matte-twice"};
    PoolOptions options = options_default();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (outcome(&options, words[i]) != RENDER_CRASHED) {
            fail_msg("%s twice did not end as crashed", words[i]);
        }
        if (outcome_once(&options, "", words[i]) != RENDER_OK) {
            fail_msg("%s once was not tried again", words[i]);
        }
    }
}

static void an_inference_process_that_fails_is_replaced(void **state) {
    static const char *const words[] = {"crash",      "closed",   "garbage",
                                        "unknown-op", "wrong-id", "ready-again"};
    PoolOptions options = options_default();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char always[32];
        snprintf(always, sizeof(always), "model-%s", words[i]);
        assert_int_equal(outcome(&options, always), RENDER_FAULT);
        assert_int_equal(outcome_once(&options, "model-", words[i]), RENDER_OK);
    }
    assert_int_equal(outcome(&options, "model-fault"), RENDER_FAULT);
}

static void late_jobs_are_killed_and_not_retried(void **state) {
    PoolOptions options = options_default();

    (void)state;
    options.job_timeout_ms = 300;
    assert_int_equal(outcome(&options, "hang"), RENDER_TIMEOUT);
    assert_int_equal(outcome(&options, "model-hang"), RENDER_TIMEOUT);
    options.job_timeout_ms = 20000;
    options.job_cpu_s = 0;
    assert_int_equal(outcome(&options, "spin"), RENDER_TIMEOUT);
}

static void serves_on_after_a_hanging_inference(void **state) {
    PoolOptions options = options_default();
    Fixture *f;

    (void)state;
    options.job_timeout_ms = 500;
    f = open_pool(&options);
    submit(f, "model-hang", NULL);
    assert_int_equal(wait_for(f, 1), RENDER_TIMEOUT);
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 2), RENDER_OK);
    close_pool(f);
}

static void cancels_waiting_and_running_jobs(void **state) {
    PoolOptions options = options_default();
    Fixture *f = open_pool(&options);
    uint64_t running = submit(f, "hang", NULL), waiting;

    (void)state;
    wait_running(f, 1);
    waiting = submit(f, "ok", NULL);
    renderer_cancel(f->renderer, waiting);
    assert_int_equal(wait_for(f, 1), RENDER_CANCELLED);
    assert_int_equal(f->sink.label[0], 1);
    renderer_cancel(f->renderer, running);
    assert_int_equal(wait_for(f, 2), RENDER_CANCELLED);
    renderer_cancel(f->renderer, running);
    renderer_cancel(f->renderer, 999);
    running = submit(f, "model-hang", NULL);
    wait_running(f, 1);
    renderer_cancel(f->renderer, running);
    assert_int_equal(wait_for(f, 3), RENDER_CANCELLED);
    submit(f, "no-subject", NULL);
    assert_int_equal(wait_for(f, 4), RENDER_NO_FOREGROUND);
    close_pool(f);
}

static void a_full_queue_says_when_to_come_back(void **state) {
    PoolOptions options = options_default();
    Fixture *f;

    (void)state;
    options.queue_max = 2;
    f = open_pool(&options);
    submit(f, "hang", NULL);
    wait_running(f, 1);
    submit(f, "ok", NULL);
    submit(f, "ok", NULL);
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 1), RENDER_BUSY);
    assert_in_range(f->sink.last.retry_after_s, 1, 300);
    close_pool(f);
}

static void higher_priority_goes_first_then_arrival(void **state) {
    PoolOptions options = options_default();
    Fixture *f = open_pool(&options);
    static const int priorities[] = {0, 5, 0, 5, 9};
    static const uintptr_t order[] = {5, 2, 4, 1, 3};
    uint64_t first = submit(f, "hang", NULL);

    (void)state;
    wait_running(f, 1);
    for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
        submit(f, "ok", &(RenderJob){.op = RENDER_RENDER, .memory = 1, .priority = priorities[i]});
    }
    renderer_cancel(f->renderer, first);
    wait_for(f, 6);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_int_equal(f->sink.label[i + 1], order[i]);
    }
    close_pool(f);
}

static void memory_is_admitted_without_starving_the_large(void **state) {
    PoolOptions options = options_default();
    Fixture *f;
    uint64_t holder;
    unsigned place = 0;

    (void)state;
    options.workers = 2;
    f = open_pool(&options);
    submit(f, "ok", &(RenderJob){.op = RENDER_RENDER, .memory = 1001});
    assert_int_equal(wait_for(f, 1), RENDER_TOO_LARGE);
    holder = submit(f, "hang", &(RenderJob){.op = RENDER_RENDER, .memory = 500});
    wait_running(f, 1);
    submit(f, "ok", &(RenderJob){.op = RENDER_RENDER, .memory = 800}); /* label 2 */
    for (int i = 0; i < 20; i++) {
        submit(f, "ok", &(RenderJob){.op = RENDER_RENDER, .memory = 10});
    }
    /* Eight pass it, then the others wait behind it; a probe, which needs no memory, need not. */
    submit(f, "ok", &(RenderJob){.op = RENDER_PROBE});
    wait_for(f, 10);
    assert_int_equal(f->sink.label[9], 23);
    renderer_cancel(f->renderer, holder);
    wait_for(f, 24);
    while (f->sink.label[place] != 2) {
        place++;
    }
    assert_in_range(place, 10, 13);
    close_pool(f);
}

static void probes_by_itself_when_memory_is_not_known(void **state) {
    PoolOptions options = options_default();
    Fixture *f = open_pool(&options);

    (void)state;
    submit(f, "ok", &(RenderJob){.op = RENDER_RENDER});
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    close_pool(f);
    options.memory_max = 999; /* the fake says 1000 */
    f = open_pool(&options);
    submit(f, "ok", &(RenderJob){.op = RENDER_RENDER});
    assert_int_equal(wait_for(f, 1), RENDER_TOO_LARGE);
    close_pool(f);
}

static void memory_of_the_background_is_admitted_too(void **state) {
    static const struct {
        const char *behind;
        uint64_t memory, memory_max;
        RenderStatus status;
    } cases[] = {
        /* The fake says 1000 of each. */
        {"behind", 100, 1100, RENDER_OK},
        {"behind", 100, 1099, RENDER_TOO_LARGE},
        {"behind", 0, 2000, RENDER_OK},
        {"behind", 0, 1999, RENDER_TOO_LARGE},
        {"unreadable", 100, 5000, RENDER_BACKGROUND_UNREADABLE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PoolOptions options = options_default();
        RenderSource behind = source_of(cases[i].behind);
        RendererStats stats;
        Fixture *f;
        options.memory_max = cases[i].memory_max;
        f = open_pool(&options);
        submit(f, "ok",
               &(RenderJob){.op = RENDER_RENDER, .memory = cases[i].memory, .background = behind});
        assert_int_equal(wait_for(f, 1), cases[i].status);
        renderer_stats(f->renderer, &stats);
        assert_int_equal(stats.memory_admitted, 0);
        close_pool(f);
        fd_close(behind.fd);
    }
}

static void a_known_photo_needs_no_inference(void **state) {
    PoolOptions options = options_default();
    Fixture *f;

    (void)state;
    options.matte_cache_max = 1000;
    f = open_pool(&options);
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    assert_true(f->sink.last.timings.inference == 5);
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 2), RENDER_OK);
    assert_true(f->sink.last.timings.inference == 0);
    submit(f, "ok", &(RenderJob){.op = RENDER_RENDER, .memory = 1, .model = "fake-2"});
    assert_int_equal(wait_for(f, 3), RENDER_OK);
    assert_true(f->sink.last.timings.inference == 5);
    close_pool(f);
}

static void drains(void **state) {
    PoolOptions options = options_default();
    Fixture *f = open_pool(&options);
    uint64_t begin_ms;

    (void)state;
    for (int i = 0; i < 5; i++) {
        submit(f, "ok", NULL);
    }
    renderer_drain(f->renderer, 20000);
    assert_int_equal(f->sink.n, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(f->sink.status[i], RENDER_OK);
    }
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 6), RENDER_BUSY);
    close_pool(f);

    f = open_pool(&options);
    submit(f, "hang", NULL);
    submit(f, "ok", NULL);
    begin_ms = clock_mono_ms();
    renderer_drain(f->renderer, 100);
    assert_int_equal(f->sink.n, 2);
    assert_int_equal(f->sink.status[0], RENDER_CANCELLED);
    assert_in_range(clock_mono_ms() - begin_ms, 100, 5000);
    close_pool(f);
}

static void a_binary_that_cannot_start_does_not_hold_jobs(void **state) {
    PoolOptions options = options_default();

    (void)state;
    options.binary = "/bin/false";
    assert_int_equal(outcome(&options, "ok"), RENDER_FAULT);
    options.binary = "/does/not/exist";
    assert_int_equal(outcome(&options, "ok"), RENDER_FAULT);
}

static unsigned count_entries(const char *path) {
    DIR *dir = opendir(path);
    unsigned n = 0;

    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

static void many_jobs_leave_nothing_behind(void **state) {
    PoolOptions options = options_default();
    Fixture *f;
    unsigned before, after;

    (void)state;
    options.workers = 2;
    f = open_pool(&options);
    submit(f, "ok", NULL);
    wait_for(f, 1);
    wait_running(f, 0);
    before = count_entries("/proc/self/fd") - f->n_asks;
    for (unsigned i = 1; i <= 200; i++) {
        if (i % 3 == 0) {
            submit_ingest(f, i % 51 == 0 ? "too-wide" : "ok", 1);
        } else {
            submit(f, i % 50 == 0 ? "crash" : "ok", NULL);
        }
    }
    wait_for(f, 201);
    renderer_drain(f->renderer, 5000);
    after = count_entries("/proc/self/fd") - f->n_asks;
    assert_in_range(after, before - 4, before + 4);
    close_pool(f);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_and_probes),
        cmocka_unit_test(a_worker_that_fails_costs_one_retry),
        cmocka_unit_test(an_inference_process_that_fails_is_replaced),
        cmocka_unit_test(late_jobs_are_killed_and_not_retried),
        cmocka_unit_test(serves_on_after_a_hanging_inference),
        cmocka_unit_test(cancels_waiting_and_running_jobs),
        cmocka_unit_test(a_full_queue_says_when_to_come_back),
        cmocka_unit_test(higher_priority_goes_first_then_arrival),
        cmocka_unit_test(memory_is_admitted_without_starving_the_large),
        cmocka_unit_test(probes_by_itself_when_memory_is_not_known),
        cmocka_unit_test(memory_of_the_background_is_admitted_too),
        cmocka_unit_test(a_known_photo_needs_no_inference),
        cmocka_unit_test(drains),
        cmocka_unit_test(a_binary_that_cannot_start_does_not_hold_jobs),
        cmocka_unit_test(many_jobs_leave_nothing_behind),
    };
    pool_testing_fake = argc > 1 ? argv[1] : pool_testing_fake;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
