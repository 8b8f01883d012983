/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/testing.h"

#ifdef IMAGESYNC_SANITIZED
/* The HEVC encoder, which only makes this test's input, never frees its parameters. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libx265";
}
#endif

static const char *const inputs[] = {
    ".jpg[Q=95]",          ".png", ".webp[lossless]", ".gif", ".tif", ".avif[effort=0,Q=90]",
    ".heic[effort=0,Q=90]"};

static void test_every_format_becomes_every_format(void **state) {
    static const OutputFormat outputs[] = {OUTPUT_FORMAT_PNG, OUTPUT_FORMAT_JPEG,
                                           OUTPUT_FORMAT_WEBP, OUTPUT_FORMAT_AVIF};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        Buf file = test_encode(test_photo(120, 80), inputs[i]);
        for (size_t o = 0; o < ARRAY_LEN(outputs); o++) {
            Recipe recipe = RECIPE_INIT;
            RenderOutput output;
            Picture picture;
            recipe.format = (int)outputs[o];
            recipe.quality = 95;
            assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
            assert_int_equal(output.format, outputs[o]);
            assert_int_equal(output.input_width, 120);
            picture = test_decode(&output);
            test_near(test_rgb(&picture, 60, 40), 230, 120, 30, 16);
            if (outputs[o] == OUTPUT_FORMAT_JPEG) {
                assert_null(picture.alpha);
                test_near(test_rgb(&picture, 3, 3), 255, 255, 255, 6);
            } else {
                assert_int_equal(picture.alpha[60 + 40 * 120], 255);
                assert_int_equal(picture.alpha[3 + 3 * 120], 0);
            }
            picture_done(&picture);
        }
        buf_done(&file);
    }
}

static void test_opaque_pixels_keep_their_colour_exactly(void **state) {
    Buf file = test_encode(test_photo(200, 100), ".png");
    VipsImage *photo = test_photo(200, 100);
    Recipe recipe = RECIPE_INIT;
    RenderOutput output;
    Picture picture;
    uint32_t opaque = 0;

    (void)state;
    assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
    assert_int_equal(output.format, OUTPUT_FORMAT_PNG);
    picture = test_decode(&output);
    for (uint32_t i = 0; i < 200 * 100; i++) {
        const uint8_t *from = (const uint8_t *)VIPS_IMAGE_ADDR(photo, i % 200, i / 200);
        if (picture.alpha[i] == 255) {
            assert_memory_equal(picture.rgb + 3 * i, from, 3);
            opaque++;
        } else if (picture.alpha[i] == 0) {
            assert_memory_equal(picture.rgb + 3 * i, "\0\0\0", 3);
        }
    }
    assert_in_range(opaque, 4800, 5900); /* pi x 60 x 30 = 5655 */
    g_object_unref(photo);
    picture_done(&picture);
    buf_done(&file);
}

/* Marks the top left quarter of a 60 x 40 picture, as shown, red. */
static VipsImage *marked(int orientation) {
    VipsImage *black, *shown, *turned, *flipped, *typed;
    double red[] = {250, 10, 10};

    vips_black(&black, 60, 40, "bands", 3, NULL);
    shown = vips_image_copy_memory(black);
    vips_draw_rect(shown, red, 3, 0, 0, 30, 20, "fill", TRUE, NULL);
    /* The inverse of what the viewer does: turn back, then mirror back. */
    vips_rot(shown, &turned,
             orientation == 3                       ? VIPS_ANGLE_D180
             : orientation == 5 || orientation == 6 ? VIPS_ANGLE_D270
             : orientation == 7 || orientation == 8 ? VIPS_ANGLE_D90
                                                    : VIPS_ANGLE_D0,
             NULL);
    if (orientation == 2 || orientation == 4 || orientation == 5 || orientation == 7) {
        vips_flip(turned, &flipped,
                  orientation == 2 ? VIPS_DIRECTION_HORIZONTAL : VIPS_DIRECTION_VERTICAL, NULL);
    } else {
        flipped = g_object_ref(turned);
    }
    g_object_unref(turned);
    vips_copy(flipped, &typed, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    vips_image_set_int(typed, VIPS_META_ORIENTATION, orientation);
    g_object_unref(flipped);
    g_object_unref(shown);
    g_object_unref(black);
    return typed;
}

static void test_orientations_are_applied(void **state) {
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        Buf file = test_encode(marked(orientation), ".jpg[Q=95]");
        const char *detail;
        ImageInfo info;
        Picture picture;
        assert_int_equal(image_probe(buf_str(&file), &test_limits, &info, &detail), 0);
        assert_int_equal(info.width, 60);
        assert_int_equal(info.height, 40);
        assert_int_equal(decode_picture(buf_str(&file), &info, 0, &picture, &detail), 0);
        assert_int_equal(picture.width, 60);
        test_near(test_rgb(&picture, 5, 5), 250, 10, 10, 12);
        test_near(test_rgb(&picture, 55, 5), 0, 0, 0, 12);
        test_near(test_rgb(&picture, 5, 35), 0, 0, 0, 12);
        picture_done(&picture);
        buf_done(&file);
    }
}

static Picture decode_file(Buf *file) {
    const char *detail;
    ImageInfo info;
    Picture picture;

    assert_int_equal(image_probe(buf_str(file), &test_limits, &info, &detail), 0);
    assert_int_equal(decode_picture(buf_str(file), &info, 0, &picture, &detail), 0);
    buf_done(file);
    return picture;
}

static void check_colours(Buf file, int tolerance) {
    Picture picture = decode_file(&file);

    test_near(test_rgb(&picture, 60, 40), 230, 120, 30, tolerance);
    test_near(test_rgb(&picture, 2, 2), 20, 62, 102, tolerance);
    picture_done(&picture);
}

static VipsImage *converted(VipsInterpretation space) {
    VipsImage *photo = test_photo(120, 80), *out;

    assert_int_equal(vips_colourspace(photo, &out, space, NULL), 0);
    g_object_unref(photo);
    return out;
}

static void test_colour_spaces_become_srgb(void **state) {
    VipsImage *photo = test_photo(120, 80), *p3, *cmyk;
    Picture grey;
    Buf file;

    (void)state;
    check_colours(test_encode(converted(VIPS_INTERPRETATION_RGB16), ".png"), 2);
    check_colours(test_encode(converted(VIPS_INTERPRETATION_RGB16), ".tif"), 2);
    check_colours(test_encode(converted(VIPS_INTERPRETATION_LAB), ".tif"), 3);
    assert_int_equal(vips_icc_transform(photo, &p3, "p3", "input_profile", "srgb", NULL), 0);
    check_colours(test_encode(p3, ".png"), 6);
    assert_int_equal(vips_icc_transform(photo, &cmyk, "cmyk", "input_profile", "srgb", NULL), 0);
    check_colours(test_encode(cmyk, ".jpg[Q=98]"), 45);
    g_object_unref(photo);
    file = test_encode(converted(VIPS_INTERPRETATION_B_W), ".png");
    grey = decode_file(&file);
    assert_int_equal(test_rgb(&grey, 60, 40)[0], test_rgb(&grey, 60, 40)[2]);
    assert_in_range(test_rgb(&grey, 60, 40)[0], 120, 165);
    picture_done(&grey);
}

/* Opaque in its left half, transparent in its right. */
static VipsImage *half_transparent(VipsInterpretation space) {
    VipsImage *photo = test_photo(120, 80), *both, *black, *alpha, *out;
    double white = 255;

    vips_black(&black, 120, 80, NULL);
    alpha = vips_image_copy_memory(black);
    vips_draw_rect(alpha, &white, 1, 0, 0, 60, 80, "fill", TRUE, NULL);
    vips_bandjoin2(photo, alpha, &both, NULL);
    assert_int_equal(vips_colourspace(both, &out, space, NULL), 0);
    g_object_unref(both);
    g_object_unref(alpha);
    g_object_unref(black);
    g_object_unref(photo);
    return out;
}

static void test_alpha_of_the_input_is_kept(void **state) {
    static const VipsInterpretation spaces[] = {VIPS_INTERPRETATION_sRGB,
                                                VIPS_INTERPRETATION_RGB16};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
        Buf file = test_encode(half_transparent(spaces[i]), ".png");
        Recipe recipe = RECIPE_INIT;
        RenderOutput output;
        Picture picture;
        assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
        assert_true(output.info.has_alpha);
        picture = test_decode(&output);
        assert_int_equal(picture.alpha[50 + 40 * 120], 255);
        assert_int_equal(picture.alpha[70 + 40 * 120], 0);
        assert_int_equal(picture.alpha[2 + 2 * 120], 0);
        picture_done(&picture);
        buf_done(&file);
    }
}

static void test_tiny_pictures(void **state) {
    static const int sizes[][2] = {{1, 1}, {2, 1}, {1, 2}, {3, 1}, {1, 5000}, {5000, 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        Buf file = test_encode(test_photo(sizes[i][0], sizes[i][1]), ".png");
        for (int format = OUTPUT_FORMAT_PNG; format <= OUTPUT_FORMAT_ZIP; format++) {
            Recipe recipe = RECIPE_INIT;
            RenderOutput output;
            recipe.format = format;
            recipe.shadow = true;
            recipe.background = RECIPE_BACKGROUND_BLUR;
            assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
            assert_int_equal(output.width, sizes[i][0]);
            render_output_done(&output);
        }
        buf_done(&file);
    }
}

static void test_truncated_pictures_are_unreadable(void **state) {
    static const char *const suffixes[] = {".jpg", ".png", ".webp", ".tif", ".gif", ".avif"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        Buf file = test_encode(test_photo(300, 200), suffixes[i]);
        for (int part = 1; part <= 9; part += 2) {
            Str cut = {file.data, file.len * (size_t)part / 10};
            Recipe recipe = RECIPE_INIT;
            RenderOutput output;
            int r = test_render(cut, &recipe, &output);
            if (r == 0) {
                fail_msg("%s cut to %d/10 was rendered", suffixes[i], part);
            }
            assert_true(r == RENDER_UNREADABLE || r == RENDER_UNSUPPORTED);
        }
        buf_done(&file);
    }
}

static void test_metadata_is_stripped(void **state) {
    static const char secret[] = "Latitude 52 North";
    static const OutputFormat outputs[] = {OUTPUT_FORMAT_PNG, OUTPUT_FORMAT_JPEG,
                                           OUTPUT_FORMAT_WEBP, OUTPUT_FORMAT_AVIF};
    VipsImage *photo = test_photo(64, 64), *tagged;
    Buf file;

    (void)state;
    vips_copy(photo, &tagged, NULL);
    vips_image_set_string(tagged, "exif-ifd0-ImageDescription", secret);
    vips_image_set_blob_copy(tagged, VIPS_META_XMP_NAME, secret, sizeof(secret));
    g_object_unref(photo);
    file = test_encode(tagged, ".jpg");
    assert_non_null(memmem(file.data, file.len, secret, 8));
    for (size_t i = 0; i < ARRAY_LEN(outputs); i++) {
        Recipe recipe = RECIPE_INIT;
        RenderOutput output;
        recipe.format = (int)outputs[i];
        assert_int_equal(test_render(buf_str(&file), &recipe, &output), 0);
        assert_null(memmem(output.bytes, output.len, secret, 8));
        render_output_done(&output);
    }
    buf_done(&file);
}

static void test_same_bytes_on_any_number_of_threads(void **state) {
    Buf file = test_encode(test_photo(700, 500), ".jpg");

    (void)state;
    for (int format = OUTPUT_FORMAT_PNG; format <= OUTPUT_FORMAT_ZIP; format++) {
        Recipe recipe = RECIPE_INIT;
        RenderOutput one, many;
        recipe.format = format;
        recipe.shadow = true;
        vips_concurrency_set(1);
        assert_int_equal(test_render(buf_str(&file), &recipe, &one), 0);
        vips_concurrency_set(4);
        assert_int_equal(test_render(buf_str(&file), &recipe, &many), 0);
        assert_int_equal(one.len, many.len);
        assert_memory_equal(one.bytes, many.bytes, one.len);
        render_output_done(&one);
        render_output_done(&many);
    }
    vips_concurrency_set(2);
    buf_done(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format_becomes_every_format),
        cmocka_unit_test(test_opaque_pixels_keep_their_colour_exactly),
        cmocka_unit_test(test_orientations_are_applied),
        cmocka_unit_test(test_colour_spaces_become_srgb),
        cmocka_unit_test(test_alpha_of_the_input_is_kept),
        cmocka_unit_test(test_tiny_pictures),
        cmocka_unit_test(test_truncated_pictures_are_unreadable),
        cmocka_unit_test(test_metadata_is_stripped),
        cmocka_unit_test(test_same_bytes_on_any_number_of_threads),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
