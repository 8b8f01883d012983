/* SPDX-License-Identifier: Apache-2.0 */
/* The estimate that jobs are admitted by bounds what they really take. */
#include "imaging/testing.h"

#include <sys/resource.h>

#define WIDTH  2000
#define HEIGHT 1500

static uint64_t peak(void) {
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss << 10;
}

static void check(const char *suffix, OutputFormat format, RecipeBackground background) {
    Buf file = test_encode(test_photo(WIDTH, HEIGHT), suffix);
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    uint64_t estimate;

    recipe.format = (int)format;
    recipe.background = (int)background;
    assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
    estimate = render_memory(&recipe, &output.info);
    if (peak() > estimate) {
        fail_msg("%s to %s took %lu MB, estimated %lu MB", suffix, output_format_names[format],
                 (unsigned long)(peak() >> 20), (unsigned long)(estimate >> 20));
    }
    render_output_done(&output);
    buf_done(&file);
}

/* The peak of a process only grows, so the small ones come first. */
static void test_estimate_bounds_the_peak(void **state) {
    (void)state;
#ifdef IMAGESYNC_SANITIZED
    skip();
#endif
    check(".jpg", OUTPUT_FORMAT_JPEG, RECIPE_BACKGROUND_NONE);
    check(".jpg", OUTPUT_FORMAT_PNG, RECIPE_BACKGROUND_NONE);
    check(".png", OUTPUT_FORMAT_ZIP, RECIPE_BACKGROUND_NONE);
    check(".tif", OUTPUT_FORMAT_JPEG, RECIPE_BACKGROUND_BLUR);
    check(".jpg", OUTPUT_FORMAT_WEBP, RECIPE_BACKGROUND_NONE);
    check(".jpg", OUTPUT_FORMAT_AVIF, RECIPE_BACKGROUND_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimate_bounds_the_peak),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
