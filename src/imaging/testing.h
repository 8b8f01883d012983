/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of this folder share: pictures made on the spot, and a subject to find. */

#include "base/test.h"
#include "imaging/decode.h"

#include <math.h>

#define TEST_SIDE 256 /* of the made-up model */

static const ImagingLimits test_limits = {50000000, 20000, 100};

/* An orange disc on a blue-green ramp, 8-bit sRGB. */
static inline VipsImage *test_photo(int width, int height) {
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    VipsImage *borrowed, *image = NULL, *owned;

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            double u = (x + 0.5) / width - 0.5, v = (y + 0.5) / height - 0.5;
            uint8_t *at = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            bool disc = u * u + v * v < 0.09;
            at[0] = disc ? 230 : 20;
            at[1] = disc ? 120 : (uint8_t)(60 + 100 * x / width);
            at[2] = disc ? 30 : (uint8_t)(100 + 100 * y / height);
        }
    }
    borrowed = vips_image_new_from_memory_copy(rgb, (size_t)width * (size_t)height * 3, width,
                                               height, 3, VIPS_FORMAT_UCHAR);
    vips_copy(borrowed, &owned, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    image = vips_image_copy_memory(owned);
    g_object_unref(owned);
    g_object_unref(borrowed);
    free(rgb);
    return image;
}

/* Marks the top left quarter of a picture, width x height as shown, red. */
static inline VipsImage *test_marked(int width, int height, int orientation) {
    VipsImage *black, *shown, *turned, *flipped, *typed;
    double red[] = {250, 10, 10};

    vips_black(&black, width, height, "bands", 3, NULL);
    shown = vips_image_copy_memory(black);
    vips_draw_rect(shown, red, 3, 0, 0, width / 2, height / 2, "fill", TRUE, NULL);
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

/* The bytes of an image in the format of `suffix` (".jpg[Q=90]"); consumes the image. */
static inline Buf test_encode(VipsImage *image, const char *suffix) {
    Buf buf = BUF_INIT;
    void *bytes = NULL;
    size_t len = 0;

    if (vips_image_write_to_buffer(image, suffix, &bytes, &len, NULL)) {
        fail_msg("%s: %s", suffix, vips_error_buffer());
    }
    buf_add(&buf, bytes, len);
    g_free(bytes);
    g_object_unref(image);
    return buf;
}

/* A matte function that finds the disc of test_photo(), with a soft edge of some pixels. */
static inline int test_find_disc(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                                 uint32_t height) {
    (void)userdata;
    (void)rgb;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            float u = ((float)x + 0.5f) / (float)width - 0.5f;
            float v = ((float)y + 0.5f) / (float)height - 0.5f;
            float edge = (0.3f - sqrtf(u * u + v * v)) * 60 + 0.5f;
            matte[(size_t)y * width + x] = CLAMP(edge, 0.0f, 1.0f);
        }
    }
    return 0;
}

static inline int test_render_with(Str bytes, const Recipe *recipe, Str background, MatteFn *fn,
                                   RenderOutput *ret_output) {
    static uint8_t rgb[TEST_SIDE * TEST_SIDE * 3];
    static float matte[TEST_SIDE * TEST_SIDE];
    const char *detail = NULL;
    RenderInput input = {.bytes = bytes,
                         .background = background,
                         .recipe = recipe,
                         .limits = &test_limits,
                         .model_width = TEST_SIDE,
                         .model_height = TEST_SIDE,
                         .model_rgb = rgb,
                         .model_matte = matte,
                         .find_matte = fn};
    int r = render_recipe(&input, ret_output, &detail);

    assert_non_null(detail);
    if (r > 0) {
        assert_true(strlen(detail) > 0);
    }
    return r;
}

static inline int test_render(Str bytes, const Recipe *recipe, RenderOutput *ret_output) {
    return test_render_with(bytes, recipe, (Str){0}, test_find_disc, ret_output);
}

/* The result as pixels; ends the output. */
static inline Picture test_decode(RenderOutput *output) {
    Str bytes = {output->bytes, output->len};
    const char *detail;
    ImageInfo info;
    Picture picture;

    assert_int_equal(image_probe(bytes, &test_limits, &info, &detail), 0);
    assert_int_equal(decode_picture(bytes, &info, 0, &picture, &detail), 0);
    assert_int_equal(picture.width, output->width);
    assert_int_equal(picture.height, output->height);
    render_output_done(output);
    return picture;
}

static inline const uint8_t *test_rgb(const Picture *picture, uint32_t x, uint32_t y) {
    return picture->rgb + 3 * ((size_t)y * picture->width + x);
}

static inline void test_near(const uint8_t *rgb, int r, int g, int b, int tolerance) {
    if (abs(rgb[0] - r) > tolerance || abs(rgb[1] - g) > tolerance || abs(rgb[2] - b) > tolerance) {
        fail_msg("%d %d %d is not near %d %d %d", rgb[0], rgb[1], rgb[2], r, g, b);
    }
}

static inline int test_start(void **state) {
    (void)state;
    return imaging_start(2);
}
