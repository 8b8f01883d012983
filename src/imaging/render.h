/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pictures in, renditions out: the whole of what a worker does with bytes nobody trusts. Runs
 * inside the sandbox: after imaging_start() nothing here opens a file or a socket.
 */

#include "core/ports/renderer.h"

/*
 * Once per process, before the sandbox closes: starts libvips, blocks every loader that is not on
 * the list of accepted formats, and loads what codecs would load lazily. `threads` bounds the
 * worker threads of one render.
 */
int imaging_start(unsigned threads);

typedef struct ImagingLimits {
    uint64_t pixels_max; /* of an input; more is RENDER_TOO_LARGE */
    uint32_t side_max;
    uint32_t pages_max;
} ImagingLimits;

/*
 * Reads the header only. 0; a positive RenderStatus with its reason in *reterr_detail (a literal);
 * or a fault.
 */
int image_probe(Str bytes, const ImagingLimits *limits, ImageInfo *ret_info,
                const char **reterr_detail);

/*
 * Finds the subject in a stretched copy of the picture: fills `matte` (width x height floats,
 * 0 background ... 1 subject) from `rgb` (width x height x 3 bytes, sRGB). Returns 0 or a fault.
 */
typedef int MatteFn(void *userdata, const uint8_t *rgb, float *matte, uint32_t width,
                    uint32_t height);

typedef struct RenderInput {
    Str bytes;
    Str background; /* empty: none */
    const Recipe *recipe;
    const ImagingLimits *limits;
    uint32_t model_width, model_height; /* what the matte function wants */
    /*
     * Where the matte function's input and output live (shared memory, so that nothing is copied):
     * model_width x model_height x 3 bytes, and as many floats as pixels.
     */
    uint8_t *model_rgb;
    float *model_matte;
    MatteFn *find_matte;
    void *find_matte_userdata;
} RenderInput;

typedef struct RenderOutput {
    void *bytes; /* freed with render_output_done() */
    size_t len;
    OutputFormat format; /* never auto */
    uint32_t width, height;
    Rect foreground;
    uint32_t input_width, input_height;
    RecipeSubject subject;
    double uncertainty;
    RenderTimings timings;
    ImageInfo info;
} RenderOutput;

/* 0; a positive RenderStatus with *reterr_detail (a literal); or a fault. */
int render_recipe(const RenderInput *input, RenderOutput *ret_output, const char **reterr_detail);
void render_output_done(RenderOutput *output);
