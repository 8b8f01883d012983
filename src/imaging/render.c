/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/render.h"

#include "base/clock.h"
#include "base/error.h"
#include "imaging/backdrop.h"
#include "imaging/compose.h"
#include "imaging/decode.h"
#include "imaging/despill.h"
#include "imaging/encode.h"
#include "imaging/layout.h"
#include "imaging/model_input.h"
#include "imaging/shadow.h"
#include "imaging/subject_box.h"
#include "imaging/watermark.h"
#include "imaging/zip.h"

#define WEBP_MAX 16383 /* pixels a side, of its container (RFC 9649) */

/* One render on its way; everything that must be given back, in one place. */
typedef struct Work {
    const RenderInput *input;
    const Recipe *recipe;
    const char **detail;
    RenderOutput output;
    uint64_t pixels_max; /* of the input and of the result; 0: no limit */
    Rect region;         /* where the subject is looked for */
    Picture picture, image;
    Cutout cutout;
    Soft blur, shadow;
} Work;

static void work_done(Work *work) {
    picture_done(&work->picture);
    picture_done(&work->image);
    cutout_done(&work->cutout);
    soft_done(&work->blur);
    soft_done(&work->shadow);
    render_output_done(&work->output);
}

static double take_ms(uint64_t *at_us) {
    uint64_t now = clock_mono_us();
    double ms = (double)(now - *at_us) / 1000;

    *at_us = now;
    return ms;
}

static bool has_opaque_backdrop(const Recipe *recipe) {
    return recipe->background == RECIPE_BACKGROUND_IMAGE ||
           recipe->background == RECIPE_BACKGROUND_BLUR ||
           (recipe->background == RECIPE_BACKGROUND_COLOUR && recipe->colour.a == 255);
}

/*
 * A PNG has a limit of its own. Automatic becomes PNG unless all is opaque, which is known only at
 * the end, so a transparent backdrop counts as one here.
 */
static uint64_t choose_pixels_max(const Recipe *recipe) {
    bool png = recipe->format == OUTPUT_FORMAT_PNG ||
               (recipe->format == OUTPUT_FORMAT_AUTO &&
                (recipe->channels == RECIPE_CHANNELS_ALPHA || !has_opaque_backdrop(recipe)));

    if (!png || recipe->png_pixels_max == 0) {
        return recipe->pixels_max;
    }
    return recipe->pixels_max == 0 ? recipe->png_pixels_max
                                   : MIN(recipe->pixels_max, recipe->png_pixels_max);
}

/* The recipe's region, which speaks of the picture as it was sent, in the one that was decoded. */
static int resolve_region(Work *work) {
    const ImageInfo *info = &work->output.info;
    double x = (double)work->picture.width / info->width;
    double y = (double)work->picture.height / info->height;
    uint32_t left, top, right, bottom;
    Rect rect;
    int r = roi_resolve(&work->recipe->roi, info->width, info->height, &rect);

    if (r == ROI_E_EXCEEDS_BOUNDS) {
        *work->detail = "The region of interest does not lie in the picture.";
        return RENDER_ROI_EXCEEDS_BOUNDS;
    }
    if (r != 0) {
        *work->detail = "The region of interest has no pixel.";
        return RENDER_ROI_EMPTY;
    }
    left = MIN((uint32_t)(rect.left * x), work->picture.width - 1);
    top = MIN((uint32_t)(rect.top * y), work->picture.height - 1);
    right = CLAMP((uint32_t)((rect.left + rect.width) * x + 0.5), left + 1, work->picture.width);
    bottom = CLAMP((uint32_t)((rect.top + rect.height) * y + 0.5), top + 1, work->picture.height);
    work->region = (Rect){left, top, right - left, bottom - top};
    return 0;
}

static int decode(Work *work) {
    const RenderInput *input = work->input;
    RenderOutput *output = &work->output;
    int r = image_probe(input->bytes, input->limits, &output->info, work->detail);

    if (r == 0) {
        r = decode_picture(input->bytes, &output->info, work->pixels_max, &work->picture,
                           work->detail);
    }
    if (r == 0) {
        r = resolve_region(work);
    }
    if (r != 0) {
        return r;
    }
    output->input_width = work->picture.width;
    output->input_height = work->picture.height;
    return model_input_fill(&work->picture, &work->region, input->model_width, input->model_height,
                            input->model_rgb);
}

static int refine(Work *work) {
    const RenderInput *input = work->input;
    int r = cutout_analyse(input->model_rgb, input->model_matte, input->model_width,
                           input->model_height, !work->recipe->semitransparency, &work->cutout);

    work->output.uncertainty = work->cutout.uncertainty;
    if (r == 0 && work->recipe->background == RECIPE_BACKGROUND_BLUR) {
        r = backdrop_blur(&work->picture, &work->cutout, &work->region, work->recipe->blur,
                          &work->blur);
    }
    if (r == 0) {
        r = cutout_apply(&work->cutout, &work->region, &work->picture);
    }
    if (r == 0) {
        r = subject_box_find(&work->picture, &work->output.foreground);
    }
    if (r == 0 && work->recipe->despill) {
        despill_apply(&work->picture, despill_screen(work->cutout.backdrop));
    }
    if (r == RENDER_NO_FOREGROUND) {
        *work->detail = "No subject was found in the picture.";
    }
    cutout_done(&work->cutout);
    return r;
}

static int load_image(Work *work) {
    const RenderInput *input = work->input;
    ImageInfo info;
    int r = image_probe(input->background, input->limits, &info, work->detail);

    if (r == 0) {
        r = decode_cover(input->background, &info, work->picture.width, work->picture.height,
                         &work->image, work->detail);
    }
    return r > 0 ? RENDER_BACKGROUND_UNREADABLE : r;
}

/* What lies behind: nothing, or white where the format cannot be transparent. */
static Colour backdrop_colour(const Recipe *recipe) {
    Colour colour = recipe->background == RECIPE_BACKGROUND_COLOUR ? recipe->colour : (Colour){0};
    unsigned rest = 255U - colour.a;

    if (recipe->format != OUTPUT_FORMAT_JPEG) {
        return colour;
    }
    return (Colour){(uint8_t)((colour.r * colour.a + 255 * rest + 127) / 255),
                    (uint8_t)((colour.g * colour.a + 255 * rest + 127) / 255),
                    (uint8_t)((colour.b * colour.a + 255 * rest + 127) / 255), 255};
}

static int fill_backdrop(Work *work, const Layout *layout, Backdrop *backdrop) {
    const Recipe *recipe = work->recipe;
    const RenderOutput *output = &work->output;
    int r = 0;

    *backdrop = (Backdrop){.colour = backdrop_colour(recipe)};
    if (recipe->background == RECIPE_BACKGROUND_IMAGE) {
        r = load_image(work);
        backdrop->image = &work->image;
    } else if (recipe->background == RECIPE_BACKGROUND_BLUR) {
        float x = (float)work->blur.width / (float)output->input_width;
        float y = (float)work->blur.height / (float)output->input_height;
        backdrop->blur = &work->blur;
        backdrop->blur_left = (float)layout->back_left * x;
        backdrop->blur_top = (float)layout->back_top * y;
        backdrop->blur_step_x = (float)layout->back_scale * x;
        backdrop->blur_step_y = (float)layout->back_scale * y;
    }
    if (r == 0 && recipe->shadow && recipe->shadow_opacity > 0) {
        Rect box;
        r = subject_box_find(&work->picture, &box);
        if (r == 0) {
            r = shadow_make(&work->picture, &box, recipe->shadow_opacity, &work->shadow);
            backdrop->shadow = &work->shadow;
        }
    }
    return r;
}

static int compose(Work *work) {
    Layout layout = layout_plan(work->recipe, work->picture.width, work->picture.height,
                                &work->output.foreground, work->pixels_max);
    Backdrop backdrop;
    int r = layout_apply(&layout, &work->picture);

    if (r < 0 || work->recipe->channels == RECIPE_CHANNELS_ALPHA) {
        return r;
    }
    r = fill_backdrop(work, &layout, &backdrop);
    if (r != 0) {
        return r;
    }
    if (backdrop.image || backdrop.blur || backdrop.shadow || backdrop.colour.a > 0) {
        compose_over(&backdrop, &work->picture);
    }
    return 0;
}

static OutputFormat choose_format(const Recipe *recipe, const Picture *picture) {
    if (recipe->format != OUTPUT_FORMAT_AUTO) {
        return (OutputFormat)recipe->format;
    }
    if (recipe->channels == RECIPE_CHANNELS_ALPHA) {
        return OUTPUT_FORMAT_PNG;
    }
    return picture_is_opaque(picture) ? OUTPUT_FORMAT_JPEG : OUTPUT_FORMAT_PNG;
}

static int encode_zip(Picture *picture, uint32_t quality, Encoded *ret_encoded) {
    Encoded colour = {0}, alpha = {0};
    int r = 0;

    if (!picture->alpha) {
        picture->alpha = malloc(picture_pixels(picture));
        if (!picture->alpha) {
            return err_trace(-ENOMEM);
        }
        memset(picture->alpha, 255, picture_pixels(picture));
    }
    compose_extend_colours(picture);
    r = encode_picture(picture, OUTPUT_FORMAT_JPEG, quality, &colour);
    if (r == 0) {
        r = encode_grey(picture->alpha, picture->width, picture->height, OUTPUT_FORMAT_PNG, 0,
                        &alpha);
    }
    if (r == 0) {
        ZipMember members[] = {{"color.jpg", {colour.bytes, colour.len}},
                               {"alpha.png", {alpha.bytes, alpha.len}}};
        r = zip_write(members, ARRAY_LEN(members), &ret_encoded->bytes, &ret_encoded->len);
    }
    g_free(colour.bytes);
    g_free(alpha.bytes);
    return r;
}

static int encode(Work *work) {
    Picture *picture = &work->picture;
    RenderOutput *output = &work->output;
    Encoded encoded;
    int r;

    output->format = choose_format(work->recipe, picture);
    if (work->recipe->watermark) {
        watermark_draw(picture);
    }
    if (output->format == OUTPUT_FORMAT_WEBP && MAX(picture->width, picture->height) > WEBP_MAX) {
        *work->detail = "A WebP picture has at most 16383 pixels a side.";
        return RENDER_TOO_LARGE;
    }
    output->width = picture->width;
    output->height = picture->height;
    if (output->format == OUTPUT_FORMAT_ZIP) {
        r = encode_zip(picture, work->recipe->quality, &encoded);
    } else if (work->recipe->channels == RECIPE_CHANNELS_ALPHA) {
        r = encode_grey(picture->alpha, picture->width, picture->height, output->format,
                        work->recipe->quality, &encoded);
    } else {
        r = encode_picture(picture, output->format, work->recipe->quality, &encoded);
    }
    if (r < 0) {
        return err_trace(r);
    }
    output->bytes = encoded.bytes;
    output->len = encoded.len;
    return 0;
}

static int run_steps(Work *work) {
    const RenderInput *input = work->input;
    RenderTimings *timings = &work->output.timings;
    uint64_t at = clock_mono_us(), start = at;
    int r = decode(work);

    timings->decode = take_ms(&at);
    if (r == 0) {
        r = input->find_matte(input->find_matte_userdata, input->model_rgb, input->model_matte,
                              input->model_width, input->model_height);
        timings->inference = take_ms(&at);
    }
    if (r == 0) {
        r = refine(work);
        timings->refine = take_ms(&at);
    }
    if (r == 0) {
        r = compose(work);
        timings->compose = take_ms(&at);
    }
    if (r == 0) {
        r = encode(work);
        timings->encode = take_ms(&at);
    }
    timings->total = (double)(at - start) / 1000;
    return r;
}

/* The picture as it is, cut to the middle and written anew. */
static int run_square(Work *work) {
    const RenderInput *input = work->input;
    uint32_t side = work->recipe->square;
    RenderOutput *output = &work->output;
    uint64_t at = clock_mono_us(), start = at;
    int r = image_probe(input->bytes, input->limits, &output->info, work->detail);

    if (r == 0) {
        r = decode_cover(input->bytes, &output->info, side, side, &work->picture, work->detail);
    }
    output->timings.decode = take_ms(&at);
    if (r == 0) {
        output->input_width = output->input_height = side;
        r = encode(work);
        output->timings.encode = take_ms(&at);
    }
    output->timings.total = (double)(at - start) / 1000;
    return r;
}

int render_recipe(const RenderInput *input, RenderOutput *ret_output, const char **reterr_detail) {
    const Recipe *recipe = input->recipe;
    _cleanup_(work_done) Work work = {.input = input,
                                      .recipe = recipe,
                                      .detail = reterr_detail,
                                      .pixels_max = choose_pixels_max(recipe)};
    int r;

    *reterr_detail = "";
    r = recipe->square > 0 ? run_square(&work) : run_steps(&work);
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    work.output.subject = recipe->subject != RECIPE_SUBJECT_AUTO ? (RecipeSubject)recipe->subject
                                                                 : RECIPE_SUBJECT_OTHER;
    *ret_output = work.output;
    work.output.bytes = NULL;
    return 0;
}

void render_output_done(RenderOutput *output) {
    g_free(output->bytes);
    output->bytes = NULL;
    output->len = 0;
}
