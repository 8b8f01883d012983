/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/render.h"

#include "base/clock.h"
#include "base/error.h"
#include "imaging/decode.h"
#include "imaging/encode.h"

#include <math.h>

static double ms_since(uint64_t start_us) {
    return (double)(clock_mono_us() - start_us) / 1000;
}

static int fill_model_input(const RenderInput *input, const Picture *picture) {
    _cleanup_(image_unrefp) VipsImage *whole = NULL;
    _cleanup_(image_unrefp) VipsImage *small = NULL;
    _cleanup_(image_unrefp) VipsImage *target = NULL;

    whole =
        vips_image_new_from_memory(picture->rgb, picture_pixels(picture) * 3, (int)picture->width,
                                   (int)picture->height, 3, VIPS_FORMAT_UCHAR);
    target = vips_image_new_from_memory(
        input->model_rgb, (size_t)input->model_width * input->model_height * 3,
        (int)input->model_width, (int)input->model_height, 3, VIPS_FORMAT_UCHAR);
    if (!whole || !target ||
        vips_resize(whole, &small, (double)input->model_width / picture->width, "vscale",
                    (double)input->model_height / picture->height, NULL) ||
        vips_image_write(small, target)) {
        vips_error_clear();
        return err_trace(-EIO);
    }
    return 0;
}

/* The matte stretched over the picture, bilinear, pixel centres aligned. */
static float matte_at(const RenderInput *input, const Picture *picture, uint32_t x, uint32_t y) {
    float u = ((float)x + 0.5f) * (float)input->model_width / (float)picture->width - 0.5f;
    float v = ((float)y + 0.5f) * (float)input->model_height / (float)picture->height - 0.5f;
    uint32_t x0 = (uint32_t)MAX(u, 0.0f), y0 = (uint32_t)MAX(v, 0.0f);
    uint32_t x1 = MIN(x0 + 1, input->model_width - 1), y1 = MIN(y0 + 1, input->model_height - 1);
    float fx = MAX(u, 0.0f) - (float)x0, fy = MAX(v, 0.0f) - (float)y0;
    const float *top = input->model_matte + (size_t)y0 * input->model_width;
    const float *low = input->model_matte + (size_t)y1 * input->model_width;
    float a = top[x0] + (top[x1] - top[x0]) * fx, b = low[x0] + (low[x1] - low[x0]) * fx;

    return a + (b - a) * fy;
}

static int apply_matte(const RenderInput *input, Picture *picture, Rect *ret_box) {
    uint32_t left = UINT32_MAX, top = UINT32_MAX, right = 0, bottom = 0;
    uint8_t *alpha = malloc(picture_pixels(picture));

    if (!alpha) {
        return err_trace(-ENOMEM);
    }
    for (uint32_t y = 0; y < picture->height; y++) {
        for (uint32_t x = 0; x < picture->width; x++) {
            size_t i = (size_t)y * picture->width + x;
            float value = CLAMP(matte_at(input, picture, x, y), 0.0f, 1.0f);
            uint32_t old = picture->alpha ? picture->alpha[i] : 255;
            alpha[i] = (uint8_t)lrintf(value * (float)old);
            if (alpha[i] == 0) {
                memset(picture->rgb + 3 * i, 0, 3);
            }
            if (alpha[i] >= 16) {
                left = MIN(left, x);
                right = MAX(right, x + 1);
                top = MIN(top, y);
                bottom = MAX(bottom, y + 1);
            }
        }
    }
    free(picture->alpha);
    picture->alpha = alpha;
    if (right == 0) {
        return RENDER_NO_FOREGROUND;
    }
    *ret_box = (Rect){left, top, right - left, bottom - top};
    return 0;
}

static void flatten(Picture *picture, Colour colour) {
    for (size_t i = 0; i < picture_pixels(picture); i++) {
        uint8_t *rgb = picture->rgb + 3 * i;
        unsigned a = picture->alpha[i], b = 255 - a;
        rgb[0] = (uint8_t)((rgb[0] * a + colour.r * b + 127) / 255);
        rgb[1] = (uint8_t)((rgb[1] * a + colour.g * b + 127) / 255);
        rgb[2] = (uint8_t)((rgb[2] * a + colour.b * b + 127) / 255);
    }
    free(picture->alpha);
    picture->alpha = NULL;
}

static OutputFormat choose_format(const Recipe *recipe, const Picture *picture) {
    if (recipe->format != OUTPUT_FORMAT_AUTO) {
        return (OutputFormat)recipe->format;
    }
    if (!picture->alpha) {
        return OUTPUT_FORMAT_JPEG;
    }
    for (size_t i = 0; i < picture_pixels(picture); i++) {
        if (picture->alpha[i] != 255) {
            return OUTPUT_FORMAT_PNG;
        }
    }
    return OUTPUT_FORMAT_JPEG;
}

int render_recipe(const RenderInput *input, RenderOutput *ret_output, const char **reterr_detail) {
    _cleanup_(picture_done) Picture picture = PICTURE_INIT;
    const Recipe *recipe = input->recipe;
    RenderOutput output = {0};
    uint64_t start = clock_mono_us(), at = start;
    Encoded encoded;
    int r;

    *reterr_detail = "";
    r = image_probe(input->bytes, input->limits, &output.info, reterr_detail);
    if (r == 0) {
        r = decode_picture(input->bytes, &output.info, recipe->pixels_max, &picture, reterr_detail);
    }
    if (r != 0) {
        return r;
    }
    output.input_width = picture.width;
    output.input_height = picture.height;
    r = fill_model_input(input, &picture);
    if (r < 0) {
        return r;
    }
    output.timings.decode = ms_since(at);
    at = clock_mono_us();
    r = input->find_matte(input->find_matte_userdata, input->model_rgb, input->model_matte,
                          input->model_width, input->model_height);
    if (r < 0) {
        return err_trace(r);
    }
    output.timings.inference = ms_since(at);
    at = clock_mono_us();
    r = apply_matte(input, &picture, &output.foreground);
    if (r != 0) {
        *reterr_detail = "No subject was found in the picture.";
        return r;
    }
    output.timings.refine = ms_since(at);
    at = clock_mono_us();
    if (recipe->background == RECIPE_BACKGROUND_COLOUR || recipe->format == OUTPUT_FORMAT_JPEG) {
        flatten(&picture, recipe->background == RECIPE_BACKGROUND_COLOUR
                              ? recipe->colour
                              : (Colour){255, 255, 255, 255});
    }
    output.timings.compose = ms_since(at);
    at = clock_mono_us();
    output.format = choose_format(recipe, &picture);
    r = encode_picture(&picture, output.format, recipe->quality, &encoded);
    if (r < 0) {
        return err_trace(r);
    }
    output.timings.encode = ms_since(at);
    output.timings.total = ms_since(start);
    output.bytes = encoded.bytes;
    output.len = encoded.len;
    output.width = picture.width;
    output.height = picture.height;
    output.subject = recipe->subject != RECIPE_SUBJECT_AUTO ? (RecipeSubject)recipe->subject
                                                            : RECIPE_SUBJECT_OTHER;
    *ret_output = output;
    return 0;
}

void render_output_done(RenderOutput *output) {
    g_free(output->bytes);
    output->bytes = NULL;
    output->len = 0;
}
