/* SPDX-License-Identifier: Apache-2.0 */
/* What each part of a recipe does to the result. */
#include "imaging/testing.h"

#include <stdio.h>
#include <unistd.h>

static Buf photo_file(int width, int height) {
    return test_encode(test_photo(width, height), ".png");
}

static Picture render(const Recipe *recipe, RenderOutput *ret_output) {
    Buf file = photo_file(200, 100);
    RenderOutput output;

    assert_int_equal(test_render(buf_str(&file), recipe, &output), 0);
    *ret_output = output;
    buf_done(&file);
    return test_decode(&output);
}

static void test_colour_behind(void **state) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.background = RECIPE_BACKGROUND_COLOUR;
    recipe.colour = (Colour){10, 20, 200, 255};
    recipe.quality = 95;
    picture = render(&recipe, &output);
    assert_int_equal(output.format, OUTPUT_FORMAT_JPEG); /* all is opaque */
    test_near(test_rgb(&picture, 4, 4), 10, 20, 200, 6);
    test_near(test_rgb(&picture, 100, 50), 230, 120, 30, 6);
    picture_done(&picture);

    recipe.colour.a = 128;
    picture = render(&recipe, &output);
    assert_int_equal(output.format, OUTPUT_FORMAT_PNG);
    assert_int_equal(picture.alpha[4 * 200 + 4], 128);
    test_near(test_rgb(&picture, 4, 4), 10, 20, 200, 0);
    assert_int_equal(picture.alpha[50 * 200 + 100], 255);
    picture_done(&picture);

    recipe.format = OUTPUT_FORMAT_JPEG; /* on white beneath */
    picture = render(&recipe, &output);
    test_near(test_rgb(&picture, 4, 4), 132, 137, 227, 6);
    picture_done(&picture);
}

static void test_picture_behind_covers_the_canvas(void **state) {
    static const int sizes[][2] = {{30, 300}, {800, 100}, {16, 8}, {200, 100}, {1, 1}};
    Buf file = photo_file(200, 100);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        VipsImage *black, *green;
        double colour[] = {20, 200, 40};
        Recipe recipe = RECIPE_INIT;
        RenderOutput output;
        Picture picture;
        Buf behind;
        vips_black(&black, sizes[i][0], sizes[i][1], "bands", 3, NULL);
        green = vips_image_copy_memory(black);
        vips_draw_rect(green, colour, 3, 0, 0, sizes[i][0], sizes[i][1], "fill", TRUE, NULL);
        g_object_unref(black);
        behind = test_encode(green, ".png");
        recipe.background = RECIPE_BACKGROUND_IMAGE;
        recipe.format = OUTPUT_FORMAT_PNG;
        assert_int_equal(
            test_render_with(buf_str(&file), &recipe, buf_str(&behind), test_find_disc, &output),
            0);
        picture = test_decode(&output);
        assert_null(picture.alpha);
        test_near(test_rgb(&picture, 0, 0), 20, 200, 40, 2);
        test_near(test_rgb(&picture, 199, 99), 20, 200, 40, 2);
        test_near(test_rgb(&picture, 100, 50), 230, 120, 30, 0);
        picture_done(&picture);
        buf_done(&behind);
    }
    buf_done(&file);
}

static void test_broken_picture_behind(void **state) {
    Buf file = photo_file(40, 40);
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;

    (void)state;
    recipe.background = RECIPE_BACKGROUND_IMAGE;
    assert_int_equal(
        test_render_with(buf_str(&file), &recipe, str_lit("%PDF-1.4"), test_find_disc, &output),
        RENDER_BACKGROUND_UNREADABLE);
    buf_done(&file);
}

static void test_blurred_background_has_nothing_of_the_subject(void **state) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.background = RECIPE_BACKGROUND_BLUR;
    recipe.blur = 0.05;
    recipe.format = OUTPUT_FORMAT_PNG;
    picture = render(&recipe, &output);
    assert_null(picture.alpha);
    for (uint32_t y = 0; y < 100; y++) {
        for (uint32_t x = 0; x < 200; x++) {
            double u = (x + 0.5) / 200 - 0.5, v = (y + 0.5) / 100 - 0.5;
            if (u * u + v * v > 0.11) { /* red is the subject's alone */
                assert_in_range(test_rgb(&picture, x, y)[0], 0, 30);
            }
        }
    }
    picture_done(&picture);
}

static void test_shadow_lies_below_the_subject(void **state) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.shadow = true;
    picture = render(&recipe, &output);
    /* The disc ends at y = 20 and y = 80. */
    assert_in_range(picture.alpha[83 * 200 + 100], 40, 150);
    assert_int_equal(picture.rgb[3 * (83 * 200 + 100)], 0);
    assert_true(picture.alpha[83 * 200 + 100] > picture.alpha[16 * 200 + 100] + 30);
    assert_int_equal(picture.alpha[0], 0);
    picture_done(&picture);
}

/* Just below the disc, where the shadow is close to its darkest. */
static uint8_t shadow_with(double opacity) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;
    uint8_t alpha;

    recipe.format = OUTPUT_FORMAT_PNG;
    recipe.shadow = true;
    recipe.shadow_opacity = opacity;
    picture = render(&recipe, &output);
    alpha = picture.alpha[83 * 200 + 100];
    picture_done(&picture);
    return alpha;
}

static void test_shadow_is_as_dark_as_wanted(void **state) {
    int full = shadow_with(1);

    (void)state;
    assert_int_equal(shadow_with(0), 0);
    assert_in_range(full, 90, 255);
    assert_in_range(shadow_with(0.5), full / 2 - 2, full / 2 + 2);
    assert_in_range(shadow_with(0.25), full / 4 - 2, full / 4 + 2);
}

/* Half of what was there still shows through a stripe. */
static void test_watermark_is_drawn_once(void **state) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture plain, marked;
    uint32_t stripes = 0;

    (void)state;
    recipe.format = OUTPUT_FORMAT_PNG;
    recipe.background = RECIPE_BACKGROUND_COLOUR;
    recipe.colour = (Colour){0, 0, 255, 255};
    plain = render(&recipe, &output);
    recipe.watermark = true;
    marked = render(&recipe, &output);
    for (size_t i = 0; i < 3 * picture_pixels(&plain); i++) {
        if (marked.rgb[i] != plain.rgb[i]) {
            assert_int_equal(marked.rgb[i], (plain.rgb[i] + 128) / 2);
            stripes++;
        }
    }
    assert_in_range(stripes, 3 * picture_pixels(&plain) / 20, 3 * picture_pixels(&plain) / 4);
    picture_done(&plain);
    picture_done(&marked);
}

static int no_matte(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                    uint32_t height) {
    (void)userdata, (void)rgb, (void)matte, (void)width, (void)height;
    fail_msg("nothing is to be cut out");
    return 0;
}

static void test_square_is_the_middle_of_the_whole(void **state) {
    Buf file = photo_file(200, 100);
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.square = 64;
    recipe.format = OUTPUT_FORMAT_PNG;
    assert_int_equal(test_render_with(buf_str(&file), &recipe, (Str){0}, no_matte, &output), 0);
    assert_true(output.width == 64 && output.height == 64 && output.info.width == 200);
    picture = test_decode(&output);
    assert_null(picture.alpha);
    test_near(test_rgb(&picture, 32, 32), 230, 120, 30, 6);
    picture_done(&picture);
    buf_done(&file);
}

static void test_alpha_channel_alone(void **state) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.channels = RECIPE_CHANNELS_ALPHA;
    picture = render(&recipe, &output);
    assert_int_equal(output.format, OUTPUT_FORMAT_PNG);
    assert_null(picture.alpha);
    test_near(test_rgb(&picture, 100, 50), 255, 255, 255, 0);
    test_near(test_rgb(&picture, 2, 2), 0, 0, 0, 0);
    picture_done(&picture);
}

static void test_archive_is_read_by_others(void **state) {
    Buf file = photo_file(200, 100);
    char path[] = "/tmp/imaging_test_XXXXXX", command[512];
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    int fd = mkstemp(path);

    (void)state;
    recipe.format = OUTPUT_FORMAT_ZIP;
    assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
    assert_int_equal(write(fd, output.bytes, output.len), output.len);
    close(fd);
    snprintf(command, sizeof(command),
             "python3 -c 'import zipfile; z = zipfile.ZipFile(\"%s\"); assert z.testzip() is None; "
             "assert z.namelist() == [\"color.jpg\", \"alpha.png\"]; "
             "assert z.read(\"color.jpg\")[:3] == b\"\\xff\\xd8\\xff\"'",
             path);
    assert_int_equal(system(command), 0);
    unlink(path);
    render_output_done(&output);
    buf_done(&file);
}

static void test_region_of_interest(void **state) {
    Buf file = photo_file(200, 100);
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.roi = (Roi){{0, false}, {0, false}, {100, false}, {100, false}};
    assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
    assert_true(output.foreground.left + output.foreground.width <= 100);
    picture = test_decode(&output);
    assert_int_equal(picture.alpha[50 * 200 + 50], 255); /* the model saw the left half alone */
    assert_int_equal(picture.alpha[50 * 200 + 110], 0);
    picture_done(&picture);
    recipe.roi.x2.value = 201;
    assert_int_equal(test_render(buf_str(&file), &recipe, &output), RENDER_ROI_EXCEEDS_BOUNDS);
    recipe.roi.x2.value = 0;
    assert_int_equal(test_render(buf_str(&file), &recipe, &output), RENDER_ROI_EMPTY);
    buf_done(&file);
}

static int find_nothing(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                        uint32_t height) {
    (void)userdata;
    (void)rgb;
    memset(matte, 0, (size_t)width * height * sizeof(float));
    return 0;
}

static int fail_to_find(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                        uint32_t height) {
    find_nothing(userdata, rgb, matte, width, height);
    return -EPIPE;
}

static void test_no_subject_and_a_broken_model(void **state) {
    Buf file = photo_file(40, 40);
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;

    (void)state;
    assert_int_equal(test_render_with(buf_str(&file), &recipe, (Str){0}, find_nothing, &output),
                     RENDER_NO_FOREGROUND);
    assert_int_equal(test_render_with(buf_str(&file), &recipe, (Str){0}, fail_to_find, &output),
                     -EPIPE);
    buf_done(&file);
}

static void test_sizes_are_limited(void **state) {
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;

    (void)state;
    recipe.pixels_max = 5000;
    recipe.png_pixels_max = 1250;
    recipe.format = OUTPUT_FORMAT_JPEG;
    picture = render(&recipe, &output);
    assert_int_equal(output.width, 100);
    assert_int_equal(output.height, 50);
    assert_int_equal(output.input_width, 100);
    assert_true(output.foreground.left >= 18 && output.foreground.left <= 21);
    picture_done(&picture);
    recipe.format = OUTPUT_FORMAT_AUTO;
    picture = render(&recipe, &output);
    assert_int_equal(output.format, OUTPUT_FORMAT_PNG);
    assert_int_equal(output.width, 50);
    picture_done(&picture);
    recipe.pixels_max = 50000; /* never larger than it came */
    recipe.png_pixels_max = 0;
    picture = render(&recipe, &output);
    assert_int_equal(output.width, 200);
    picture_done(&picture);
}

static void test_despill_takes_the_screen_off(void **state) {
    uint8_t *rgb = malloc(64 * 64 * 3);
    VipsImage *image;
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;
    Buf file;

    (void)state;
    for (uint32_t i = 0; i < 64 * 64; i++) {
        double u = (i % 64 + 0.5) / 64 - 0.5, v = (i / 64 + 0.5) / 64 - 0.5;
        memcpy(rgb + 3 * i, u * u + v * v < 0.09 ? "\x96\xb4\x8c" : "\x10\xe0\x18", 3);
    }
    image = vips_image_new_from_memory_copy(rgb, 64 * 64 * 3, 64, 64, 3, VIPS_FORMAT_UCHAR);
    file = test_encode(image, ".png");
    for (int despill = 0; despill < 2; despill++) {
        recipe.despill = despill;
        assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
        picture = test_decode(&output);
        test_near(test_rgb(&picture, 32, 32), 0x96, despill ? 0x96 : 0xb4, 0x8c, 0);
        picture_done(&picture);
    }
    free(rgb);
    buf_done(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_colour_behind),
        cmocka_unit_test(test_picture_behind_covers_the_canvas),
        cmocka_unit_test(test_broken_picture_behind),
        cmocka_unit_test(test_blurred_background_has_nothing_of_the_subject),
        cmocka_unit_test(test_shadow_lies_below_the_subject),
        cmocka_unit_test(test_shadow_is_as_dark_as_wanted),
        cmocka_unit_test(test_watermark_is_drawn_once),
        cmocka_unit_test(test_square_is_the_middle_of_the_whole),
        cmocka_unit_test(test_alpha_channel_alone),
        cmocka_unit_test(test_archive_is_read_by_others),
        cmocka_unit_test(test_region_of_interest),
        cmocka_unit_test(test_no_subject_and_a_broken_model),
        cmocka_unit_test(test_sizes_are_limited),
        cmocka_unit_test(test_despill_takes_the_screen_off),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
