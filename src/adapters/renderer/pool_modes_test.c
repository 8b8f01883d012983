/* SPDX-License-Identifier: Apache-2.0 */

/* What needs a model, and what does not. */

#include "adapters/renderer/pool_testing.h"

static void ingests_without_a_model(void **state) {
    PoolOptions options = options_default();
    const RenderResult *last;
    RendererStats stats;
    Fixture *f;

    (void)state;
    options.memory_max = 10000;
    f = open_pool(&options);
    last = &f->sink.last;
    for (unsigned i = 1; i <= 2; i++) {
        submit_ingest(f, "ok", i - 1); /* probed by the pool, or by its caller */
        assert_int_equal(wait_for(f, i), RENDER_OK);
        assert_int_equal(last->info.height, 3);
        assert_string_equal(last->photo.make, "Fake");
        assert_int_equal(last->photo.orientation, 6);
        assert_true(last->hash == 0xfedcba9876543210);
        assert_int_equal(last->mezzanine.len, 6);
        assert_int_equal(last->thumbnail.len, 6);
        assert_int_equal(last->thumbnail.format, OUTPUT_FORMAT_JPEG);
        assert_int_equal(last->output_fd, -1);
    }
    submit_ingest(f, "ok", 10001);
    assert_int_equal(wait_for(f, 3), RENDER_TOO_LARGE);
    submit_ingest(f, "unreadable", 0);
    assert_int_equal(wait_for(f, 4), RENDER_UNREADABLE);
    renderer_stats(f->renderer, &stats);
    assert_int_equal(stats.memory_admitted, 0);
    assert_int_equal(stats.worker_restarts, 0);
    close_pool(f);
}

static void describes_a_film_without_probing_it(void **state) {
    PoolOptions options = options_default();
    RendererStats stats;
    Fixture *f;

    (void)state;
    f = open_pool(&options);
    submit(f, "ok", &(RenderJob){.op = RENDER_METADATA});
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    assert_int_equal(f->sink.last.film.width, 4);
    assert_int_equal(f->sink.last.film.duration_ms, 1500);
    assert_string_equal(f->sink.last.photo.make, "Fake");
    submit(f, "probed", &(RenderJob){.op = RENDER_METADATA}); /* breaks the protocol, twice */
    assert_int_equal(wait_for(f, 2), RENDER_CRASHED);
    renderer_stats(f->renderer, &stats);
    assert_int_equal(stats.memory_admitted, 0);
    close_pool(f);
}

static void what_an_ingest_may_not_say_costs_one_retry(void **state) {
    static const char *const words[] = {"crash", "wrong-id", "mapped", "short",
                                        "done",  "matte",    "auto",   "too-wide"};
    PoolOptions options = options_default();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        Fixture *f = open_pool(&options);
        char once[128];
        submit_ingest(f, words[i], 1);
        if (wait_for(f, 1) != RENDER_CRASHED) {
            fail_msg("%s twice did not end as crashed", words[i]);
        }
        snprintf(once, sizeof(once), "once:%s/x:%s", f->folder, words[i]);
        submit_ingest(f, once, 1);
        if (wait_for(f, 2) != RENDER_OK) {
            fail_msg("%s once was not tried again", words[i]);
        }
        close_pool(f);
    }
}

static void an_ingest_waits_for_no_inference(void **state) {
    PoolOptions options = options_default();
    Fixture *f;
    uint64_t first;

    (void)state;
    options.workers = 2;
    f = open_pool(&options);
    first = submit(f, "model-hang", NULL);
    wait_running(f, 1);
    submit_ingest(f, "ok", 1);
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    renderer_cancel(f->renderer, first);
    assert_int_equal(wait_for(f, 2), RENDER_CANCELLED);
    submit_ingest(f, "hang", 1);
    wait_running(f, 1);
    renderer_drain(f->renderer, 1);
    assert_int_equal(wait_for(f, 3), RENDER_CANCELLED);
    close_pool(f);
}

static void knows_which_models_there_are(void **state) {
    PoolOptions options = options_default();
    Fixture *f = open_pool(&options);

    (void)state;
    submit(f, "ok", &(RenderJob){.memory = 1, .op = RENDER_RENDER, .model = "fake-2"});
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    submit(f, "ok", &(RenderJob){.memory = 1, .op = RENDER_RENDER, .model = "other"});
    assert_int_equal(wait_for(f, 2), RENDER_UNKNOWN_MODEL);
    submit(f, "ok", &(RenderJob){.memory = 1, .op = RENDER_RENDER, .model = "../fake"});
    assert_int_equal(wait_for(f, 3), RENDER_UNKNOWN_MODEL);
    close_pool(f);
}

static const RenderJob square = {.op = RENDER_RENDER, .memory = 100, .recipe = {.square = 8}};

static void squares_need_no_model(void **state) {
    PoolOptions options = options_default();
    Fixture *f;

    (void)state;
    options.model = "other"; /* which is not there */
    f = open_pool(&options);
    submit(f, "ok", &square);
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 2), RENDER_UNKNOWN_MODEL);
    close_pool(f);
}

static void without_a_model_nothing_is_cut_out(void **state) {
    PoolOptions options = options_default();
    RendererStats stats;
    Fixture *f;

    (void)state;
    options.model = NULL;
    f = open_pool(&options);
    submit(f, "ok", &(RenderJob){.op = RENDER_PROBE});
    assert_int_equal(wait_for(f, 1), RENDER_OK);
    submit(f, "ok", &square);
    assert_int_equal(wait_for(f, 2), RENDER_OK);
    assert_int_equal(f->sink.last.output_len, 6);
    submit(f, "ok", NULL);
    assert_int_equal(wait_for(f, 3), RENDER_UNKNOWN_MODEL);
    submit(f, "ok", &(RenderJob){.op = RENDER_RENDER, .memory = 1, .model = "fake"});
    assert_int_equal(wait_for(f, 4), RENDER_UNKNOWN_MODEL);
    renderer_stats(f->renderer, &stats);
    assert_true(stats.ready);
    assert_int_equal(stats.worker_restarts, 0);
    /* A worker that asks for what its job has no need of. */
    submit(f, "matte-anyway", &square);
    assert_int_equal(wait_for(f, 5), RENDER_CRASHED);
    close_pool(f);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ingests_without_a_model),
        cmocka_unit_test(describes_a_film_without_probing_it),
        cmocka_unit_test(what_an_ingest_may_not_say_costs_one_retry),
        cmocka_unit_test(an_ingest_waits_for_no_inference),
        cmocka_unit_test(knows_which_models_there_are),
        cmocka_unit_test(squares_need_no_model),
        cmocka_unit_test(without_a_model_nothing_is_cut_out),
    };
    pool_testing_fake = argc > 1 ? argv[1] : pool_testing_fake;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
