/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/layout.h"
#include "imaging/testing.h"

static const Rect box = {40, 30, 20, 10}; /* of a subject in 100 x 80 */

static Layout plan(const Recipe *recipe) {
    return layout_plan(recipe, 100, 80, &box, recipe->pixels_max);
}

/* 100 x 80, transparent but for the box, which is full of its own coordinates. */
static Picture subject(void) {
    Picture picture = {.width = 100, .height = 80};

    picture.rgb = calloc(8000, 3);
    picture.alpha = calloc(8000, 1);
    for (uint32_t y = box.top; y < box.top + box.height; y++) {
        for (uint32_t x = box.left; x < box.left + box.width; x++) {
            picture.alpha[y * 100 + x] = 255;
            picture.rgb[3 * (y * 100 + x)] = (uint8_t)x;
            picture.rgb[3 * (y * 100 + x) + 1] = (uint8_t)y;
        }
    }
    return picture;
}

static Rect visible(const Picture *picture) {
    uint32_t left = UINT32_MAX, top = UINT32_MAX, right = 0, bottom = 0;

    for (uint32_t i = 0; i < picture_pixels(picture); i++) {
        if (picture->alpha[i] >= 128) {
            left = MIN(left, i % picture->width);
            right = MAX(right, i % picture->width + 1);
            top = MIN(top, i / picture->width);
            bottom = MAX(bottom, i / picture->width + 1);
        }
    }
    return (Rect){left, top, right - left, bottom - top};
}

static void check(const Recipe *recipe, uint32_t width, uint32_t height, Rect expected) {
    Layout layout = plan(recipe);
    Picture picture = subject();
    Rect found;
    int slack;

    assert_int_equal(layout_apply(&layout, &picture), 0);
    assert_int_equal(picture.width, width);
    assert_int_equal(picture.height, height);
    found = visible(&picture);
    /* Resampling may shift what counts as visible by a pixel; copying may not. */
    slack = layout.scale == 1 ? 0 : 1;
    assert_true(abs((int)found.left - (int)expected.left) <= slack);
    assert_true(abs((int)found.top - (int)expected.top) <= slack);
    assert_true(abs((int)found.width - (int)expected.width) <= slack);
    assert_true(abs((int)found.height - (int)expected.height) <= slack);
    picture_done(&picture);
}

static void test_nothing_asked_for_moves_nothing(void **state) {
    Recipe recipe = RECIPE_INIT;

    (void)state;
    check(&recipe, 100, 80, box);
}

static void test_crop_and_margins(void **state) {
    Recipe recipe = RECIPE_INIT;

    (void)state;
    recipe.crop = true;
    check(&recipe, 20, 10, (Rect){0, 0, 20, 10});
    /* Per cent are of the subject's side; 10 % of 20 and of 10. */
    recipe.crop_margin = (Margin){{10, true}, {10, true}, {10, true}, {10, true}};
    check(&recipe, 24, 12, (Rect){2, 1, 20, 10});
    recipe.crop_margin = (Margin){{1, false}, {2, false}, {3, false}, {4, false}};
    check(&recipe, 26, 14, (Rect){4, 1, 20, 10});
    /* Beyond the photo's edges on all sides. */
    recipe.crop_margin = (Margin){{200, false}, {200, false}, {200, false}, {200, false}};
    check(&recipe, 420, 410, (Rect){200, 200, 20, 10});
}

static void test_position(void **state) {
    Recipe recipe = RECIPE_INIT;

    (void)state;
    recipe.position = (Position){false, 0, 0};
    check(&recipe, 100, 80, (Rect){0, 0, 20, 10});
    recipe.position = (Position){false, 1, 1};
    check(&recipe, 100, 80, (Rect){80, 70, 20, 10});
    recipe.position = (Position){false, 0.5, 0.25};
    check(&recipe, 100, 80, (Rect){40, 18, 20, 10});
}

static void test_scale_fits_the_larger_relation(void **state) {
    Recipe recipe = RECIPE_INIT;

    (void)state;
    recipe.scale = 1; /* 100 / 20 is less than 80 / 10 */
    check(&recipe, 100, 80, (Rect){0, 15, 100, 50});
    recipe.scale = 0.5;
    check(&recipe, 100, 80, (Rect){25, 28, 50, 25});
    recipe.position = (Position){false, 1, 0};
    check(&recipe, 100, 80, (Rect){50, 0, 50, 25});
    recipe.scale = 0.1;
    check(&recipe, 100, 80, (Rect){90, 0, 10, 5});
}

static void test_result_is_held_to_the_limit(void **state) {
    Recipe recipe = RECIPE_INIT;

    (void)state;
    recipe.pixels_max = 2000;
    check(&recipe, 50, 40, (Rect){20, 15, 10, 5});
}

/* A thin subject, enlarged: what is scaled up for it stays in proportion to the canvas. */
static void test_enlarging_is_bounded(void **state) {
    static const Rect thin = {30000, 20, 960, 1};
    Recipe recipe = RECIPE_INIT;
    Layout layout;

    (void)state;
    recipe.scale = 1;
    layout = layout_plan(&recipe, 65500, 50, &thin, 0);
    assert_true(layout.scale == 50);
    assert_true(layout.from.width * layout.scale * layout.from.height * layout.scale <
                4.0 * layout.width * layout.height);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_asked_for_moves_nothing),
        cmocka_unit_test(test_crop_and_margins),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_scale_fits_the_larger_relation),
        cmocka_unit_test(test_result_is_held_to_the_limit),
        cmocka_unit_test(test_enlarging_is_bounded),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
