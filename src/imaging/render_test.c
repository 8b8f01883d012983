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
    static const char *const suffixes[] = {".jpg", ".png",  ".webp", ".tif",
                                           ".gif", ".avif", ".heic"};

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
        cmocka_unit_test(test_alpha_of_the_input_is_kept),
        cmocka_unit_test(test_tiny_pictures),
        cmocka_unit_test(test_truncated_pictures_are_unreadable),
        cmocka_unit_test(test_metadata_is_stripped),
        cmocka_unit_test(test_same_bytes_on_any_number_of_threads),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
