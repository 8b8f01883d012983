/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to upright sRGB pixels: orientation, colour spaces and profiles, kinds of samples, scale.
 */
#include "imaging/testing.h"

#include <lcms2.h>

static void test_orientations_are_applied(void **state) {
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        Buf file = test_encode(test_marked(60, 40, orientation), ".jpg[Q=95]");
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

/* Red, green and blue with the primaries of sRGB and that transfer function; in the name "sRGB". */
static cmsHPROFILE profile_with(cmsToneCurve *curve) {
    static const cmsCIExyY white = {0.3127, 0.3290, 1};
    static const cmsCIExyYTRIPLE primaries = {{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
    cmsToneCurve *curves[3] = {curve, curve, curve};
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
    cmsMLU *name = cmsMLUalloc(NULL, 1);

    cmsMLUsetASCII(name, "en", "US", "linear sRGB");
    cmsWriteTag(profile, cmsSigProfileDescriptionTag, name);
    cmsMLUfree(name);
    cmsFreeToneCurve(curve);
    return profile;
}

/* Puts the profile into the image as it is: the values of the pixels stay. Ends the profile. */
static void tag(VipsImage *image, cmsHPROFILE profile) {
    cmsUInt32Number len = 0;
    void *bytes;

    assert_true(cmsSaveProfileToMem(profile, NULL, &len));
    bytes = malloc(len);
    assert_true(cmsSaveProfileToMem(profile, bytes, &len));
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, bytes, len);
    free(bytes);
    cmsCloseProfile(profile);
}

/* What a profile calls itself says nothing: this one is linear light, and much too dark as sRGB. */
static void test_profiles_are_judged_by_what_they_do(void **state) {
    VipsImage *photo = test_photo(120, 80);
    Picture picture;
    Buf file;

    (void)state;
    tag(photo, profile_with(cmsBuildGamma(NULL, 1)));
    file = test_encode(photo, ".png");
    picture = decode_file(&file);
    /* 255 (1.055 (v / 255)^(1 / 2.4) - 0.055) of 230, 120 and 30. */
    test_near(test_rgb(&picture, 60, 40), 244, 182, 96, 2);
    picture_done(&picture);

    photo = test_photo(120, 80);
    tag(photo, profile_with(cmsBuildParametricToneCurve(
                   NULL, 4, (double[]){2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045})));
    file = test_encode(photo, ".png");
    picture = decode_file(&file);
    test_near(test_rgb(&picture, 60, 40), 230, 120, 30, 0); /* it is sRGB: nothing is touched */
    picture_done(&picture);
}

static void test_a_profile_that_is_none_is_ignored(void **state) {
    VipsImage *photo = test_photo(120, 80);

    (void)state;
    vips_image_set_blob_copy(photo, VIPS_META_ICC_NAME, "no profile at all", 17);
    check_colours(test_encode(photo, ".png"), 1);
}

static void test_deep_alpha_beside_a_profile(void **state) {
    VipsImage *photo = test_photo(120, 80), *p3, *deep, *flat, *both;
    Picture picture;
    Buf file;

    (void)state;
    assert_int_equal(
        vips_icc_transform(photo, &p3, "p3", "input_profile", "srgb", "depth", 16, NULL), 0);
    vips_linear1(p3, &flat, 0, 0x4040, NULL);
    assert_int_equal(vips_extract_band(flat, &deep, 0, NULL), 0);
    assert_int_equal(vips_bandjoin2(p3, deep, &both, NULL), 0);
    g_object_unref(photo);
    g_object_unref(deep);
    g_object_unref(flat);
    g_object_unref(p3);
    assert_int_equal(vips_cast(both, &deep, VIPS_FORMAT_USHORT, NULL), 0);
    g_object_unref(both);
    file = test_encode(deep, ".png[bitdepth=16]");
    picture = decode_file(&file);
    test_near(test_rgb(&picture, 60, 40), 230, 120, 30, 6);
    assert_non_null(picture.alpha);
    assert_int_equal(picture.alpha[40 * 120 + 60], 0x40);
    picture_done(&picture);
}

/* Nothing says what value of a 32-bit grey is white: better refused than shown as white or black.
 */
static void test_samples_without_a_scale_are_refused(void **state) {
    static const VipsBandFormat formats[] = {VIPS_FORMAT_UINT, VIPS_FORMAT_FLOAT};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        VipsImage *photo = test_photo(40, 40), *grey, *wide;
        const char *detail = NULL;
        ImageInfo info;
        Buf file;
        assert_int_equal(vips_colourspace(photo, &grey, VIPS_INTERPRETATION_B_W, NULL), 0);
        assert_int_equal(vips_cast(grey, &wide, formats[i], NULL), 0);
        g_object_unref(grey);
        g_object_unref(photo);
        file = test_encode(wide, ".tif");
        assert_int_equal(image_probe(buf_str(&file), &test_limits, &info, &detail),
                         RENDER_UNREADABLE);
        assert_non_null(strstr(detail, "samples"));
        buf_done(&file);
    }
}

/* Smaller, a picture keeps its mean colour, and with an alpha that is opaque everywhere too. */
static void test_scaling_keeps_the_mean(void **state) {
    double means[2] = {0};

    (void)state;
    for (int alpha = 0; alpha < 2; alpha++) {
        VipsImage *photo = test_photo(600, 400), *image;
        const char *detail;
        ImageInfo info;
        Picture picture;
        Buf file;
        if (alpha) {
            vips_bandjoin_const1(photo, &image, 255, NULL);
        } else {
            image = g_object_ref(photo);
        }
        g_object_unref(photo);
        file = test_encode(image, ".png");
        assert_int_equal(image_probe(buf_str(&file), &test_limits, &info, &detail), 0);
        assert_int_equal(decode_picture(buf_str(&file), &info, 20000, &picture, &detail), 0);
        assert_true(picture_is_opaque(&picture));
        for (size_t i = 0; i < picture_pixels(&picture) * 3; i++) {
            means[alpha] += picture.rgb[i];
        }
        means[alpha] /= (double)picture_pixels(&picture) * 3;
        picture_done(&picture);
        buf_done(&file);
    }
    assert_true(fabs(means[1] - means[0]) < 0.2);
}

/* A JPEG is decoded at an eighth, a quarter or half of its size where that is enough. */
static void test_shrunk_jpegs_show_the_same(void **state) {
    static const uint64_t limits[] = {250000, 61000, 15600, 3900, 900};
    Buf file = test_encode(test_photo(801, 603), ".jpg[Q=95]");
    const char *detail;
    ImageInfo info;

    (void)state;
    assert_int_equal(image_probe(buf_str(&file), &test_limits, &info, &detail), 0);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        Picture picture;
        assert_int_equal(decode_picture(buf_str(&file), &info, limits[i], &picture, &detail), 0);
        assert_in_range(picture_pixels(&picture), limits[i] * 9 / 10, limits[i]);
        test_near(test_rgb(&picture, picture.width / 2, picture.height / 2), 230, 120, 30, 6);
        /* The disc ends three tenths of a side from the middle. */
        test_near(test_rgb(&picture, picture.width * 7 / 8, picture.height / 2), 20, 147, 150, 12);
        assert_true(test_rgb(&picture, picture.width * 23 / 100, picture.height / 2)[0] > 128);
        assert_true(test_rgb(&picture, picture.width * 17 / 100, picture.height / 2)[0] < 128);
        picture_done(&picture);
    }
    buf_done(&file);
}

static void paint(VipsImage *image, int left, int width, int height, double r, double g, double b) {
    assert_int_equal(
        vips_draw_rect(image, (double[]){r, g, b}, 3, left, 0, width, height, "fill", TRUE, NULL),
        0);
}

/* Only the middle of a strip is seen behind a square, upright or turned, enlarged or not. */
static void test_the_middle_of_a_picture_covers(void **state) {
    static const uint32_t sides[] = {10, 30, 300};

    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        VipsImage *black, *strip;
        const char *detail;
        ImageInfo info;
        Buf file;
        vips_black(&black, 900, 30, "bands", 3, NULL);
        strip = vips_image_copy_memory(black);
        g_object_unref(black);
        paint(strip, 0, 435, 30, 200, 0, 0);
        paint(strip, 435, 30, 30, 0, 200, 0);
        paint(strip, 465, 435, 30, 0, 0, 200);
        vips_image_set_int(strip, VIPS_META_ORIENTATION, orientation);
        file = test_encode(strip, ".tif");
        assert_int_equal(image_probe(buf_str(&file), &test_limits, &info, &detail), 0);
        assert_int_equal(info.width, orientation < 5 ? 900 : 30);
        for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
            uint32_t side = sides[i], last = side - 1;
            Picture picture;
            assert_int_equal(decode_cover(buf_str(&file), &info, side, side, &picture, &detail), 0);
            assert_int_equal(picture.width, side);
            assert_int_equal(picture.height, side);
            test_near(test_rgb(&picture, side / 10, side / 2), 0, 200, 0, 20);
            test_near(test_rgb(&picture, last - side / 10, last), 0, 200, 0, 20);
            test_near(test_rgb(&picture, side / 2, side / 2), 0, 200, 0, 2);
            picture_done(&picture);
        }
        buf_done(&file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orientations_are_applied),
        cmocka_unit_test(test_colour_spaces_become_srgb),
        cmocka_unit_test(test_profiles_are_judged_by_what_they_do),
        cmocka_unit_test(test_a_profile_that_is_none_is_ignored),
        cmocka_unit_test(test_deep_alpha_beside_a_profile),
        cmocka_unit_test(test_samples_without_a_scale_are_refused),
        cmocka_unit_test(test_scaling_keeps_the_mean),
        cmocka_unit_test(test_shrunk_jpegs_show_the_same),
        cmocka_unit_test(test_the_middle_of_a_picture_covers),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
