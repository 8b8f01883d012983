/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/render.h"

#include "base/clock.h"
#include "base/error.h"
#include "imaging/cutout.h"
#include "imaging/decode.h"
#include "imaging/encode.h"
#include "imaging/subject_box.h"

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

static int apply_matte(const RenderInput *input, Picture *picture, RenderOutput *output) {
    _cleanup_(cutout_done) Cutout cutout = CUTOUT_INIT;
    Rect region = {0, 0, picture->width, picture->height};
    int r;

    r = cutout_analyse(input->model_rgb, input->model_matte, input->model_width,
                       input->model_height, !input->recipe->semitransparency, &cutout);
    if (r == 0) {
        r = cutout_apply(&cutout, &region, picture);
    }
    if (r == 0) {
        r = subject_box_find(picture, &output->foreground);
    }
    output->uncertainty = cutout.uncertainty;
    return r;
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
    r = apply_matte(input, &picture, &output);
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
