/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "app/output_plan.h"

static Arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena = arena_free(arena);
    return 0;
}

/* One input, and where it goes with this -o and --format; NULL when that is refused. */
static const char *one(const char *input, const char *out, OutputFormat format) {
    const char *slash = strrchr(input, '/');
    const PlanInput inputs[] = {{input, slash ? slash + 1 : input}};
    const char *error = NULL;
    Plan plan;

    if (output_plan(&(PlanRequest){inputs, 1, false, out, false, format}, arena, &plan, &error) <
        0) {
        assert_non_null(error);
        return NULL;
    }
    return plan.outputs[0];
}

static void one_input_goes_to_a_file(void **state) {
    (void)state;
    assert_string_equal(one("a/b.jpg", NULL, OUTPUT_FORMAT_AUTO), "a/b-cutout.png");
    assert_string_equal(one("a/b.jpg", NULL, OUTPUT_FORMAT_WEBP), "a/b-cutout.webp");
    assert_string_equal(one("a.b/c", NULL, OUTPUT_FORMAT_AUTO), "a.b/c-cutout.png");
    assert_string_equal(one("b.jpg", "x.webp", OUTPUT_FORMAT_AUTO), "x.webp");
    assert_string_equal(one("b.jpg", "x", OUTPUT_FORMAT_AUTO), "x");
    assert_string_equal(one("b.jpg", "x.JPEG", OUTPUT_FORMAT_JPEG), "x.JPEG");
    assert_string_equal(one("b.jpg", "x.dat", OUTPUT_FORMAT_JPEG), "x.dat");
    assert_string_equal(one("b.jpg", "x/", OUTPUT_FORMAT_JPEG), "x/b.jpg");
    assert_string_equal(one("-", NULL, OUTPUT_FORMAT_AUTO), "-");
    assert_string_equal(one("-", "dir/", OUTPUT_FORMAT_AUTO), "dir/stdin.png");
    assert_string_equal(one("b.jpg", "-", OUTPUT_FORMAT_AUTO), "-");
}

static void doubtful_names_are_refused(void **state) {
    (void)state;
    assert_null(one("b.jpg", "", OUTPUT_FORMAT_AUTO));
    assert_null(one("b.jpg", "x.gif", OUTPUT_FORMAT_AUTO));
    assert_null(one("b.jpg", "x.png", OUTPUT_FORMAT_JPEG));
}

static void many_inputs_go_to_a_folder(void **state) {
    const PlanInput inputs[] = {{"in/a.jpg", "a.jpg"}, {"in/s/b.jpg", "s/b.jpg"}};
    PlanRequest request = {inputs, 2, true, "out", false, OUTPUT_FORMAT_JPEG};
    const char *error = NULL;
    Plan plan;

    (void)state;
    assert_int_equal(output_plan(&request, arena, &plan, &error), 0);
    assert_string_equal(plan.folder, "out");
    assert_string_equal(plan.outputs[0], "out/a.jpg");
    assert_string_equal(plan.outputs[1], "out/s/b.jpg");
    request.out = "out.png";
    assert_true(output_plan(&request, arena, &plan, &error) < 0);
    request.out_is_folder = true;
    assert_int_equal(output_plan(&request, arena, &plan, &error), 0);
    assert_string_equal(plan.outputs[0], "out.png/a.jpg");
    request.out = "-";
    request.out_is_folder = false;
    assert_true(output_plan(&request, arena, &plan, &error) < 0);
}

static void two_inputs_never_share_an_output(void **state) {
    const PlanInput inputs[] = {{"a/x.jpg", "x.jpg"}, {"b/y.jpg", "y.jpg"}, {"b/x.png", "x.png"}};
    PlanRequest request = {inputs, 3, false, "out", true, OUTPUT_FORMAT_AUTO};
    const char *error = NULL;
    Plan plan;

    (void)state;
    assert_true(output_plan(&request, arena, &plan, &error) < 0);
    assert_non_null(strstr(error, "'a/x.jpg' and 'b/x.png'"));
    request.n_inputs = 2;
    assert_int_equal(output_plan(&request, arena, &plan, &error), 0);
}

static void results_are_known_by_their_names(void **state) {
    (void)state;
    assert_true(output_plan_is_result("a/photo-cutout.png"));
    assert_false(output_plan_is_result("a-cutout/photo.png"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_input_goes_to_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubtful_names_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_inputs_go_to_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_inputs_never_share_an_output, set_up, tear_down),
        cmocka_unit_test(results_are_known_by_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
