/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/cutout.h"

#include "base/error.h"
#include "core/ports/renderer.h"
#include "imaging/edge_band.h"
#include "imaging/foreground.h"
#include "imaging/guided_filter.h"
#include "imaging/inside.h"
#include "imaging/solid.h"

#include <assert.h>
#include <math.h>

/*
 * Tuned on composites whose alpha is known and by eye on hair, fur, wings, crockery and a
 * motorcycle (decision 0007): a wider window lets dark things in the background grow fringes on
 * the subject, a narrower one leaves the model's steps and its soft haze around crisp outlines.
 */
#define FILTER_RADIUS  8
#define FILTER_EPSILON 2e-4f
#define BAND_RADIUS    4

/* Less of the picture than this, or nothing the model is half sure of, is no subject. */
#define SUBJECT_SHARE_MIN 2e-4
#define HALF              128
#define UNDECIDED_LOW     26 /* 0.1 */
#define UNDECIDED_HIGH    229

static int count_subject(const uint8_t *matte, size_t pixels, double *ret_uncertainty) {
    size_t subject = 0, undecided = 0, present = 0;

    for (size_t i = 0; i < pixels; i++) {
        subject += matte[i] >= HALF;
        present += matte[i] > UNDECIDED_LOW;
        undecided += matte[i] > UNDECIDED_LOW && matte[i] < UNDECIDED_HIGH;
    }
    if (subject == 0 || (double)subject < SUBJECT_SHARE_MIN * (double)pixels) {
        return RENDER_NO_FOREGROUND;
    }
    *ret_uncertainty = (double)undecided / (double)present;
    return 0;
}

static void mean_backdrop(const uint8_t *rgb, const uint8_t *band, size_t pixels, uint8_t *mean) {
    uint64_t sums[3] = {0}, count = 0;

    for (size_t i = 0; i < pixels; i++) {
        if (band[i] == BAND_BACKGROUND) {
            count++;
            for (int c = 0; c < 3; c++) {
                sums[c] += rgb[3 * i + (size_t)c];
            }
        }
    }
    for (int c = 0; c < 3; c++) {
        mean[c] = count > 0 ? (uint8_t)(sums[c] / count) : 0;
    }
}

/* The two layers of colour, found at half the grid: they are smooth, and detail is added later. */
static int find_layers(const uint8_t *rgb, Cutout *cutout) {
    size_t pixels = (size_t)cutout->width * cutout->height;
    uint32_t half_width = (cutout->width + 1) / 2, half_height = (cutout->height + 1) / 2;
    size_t halves = (size_t)half_width * half_height;
    _cleanup_(freep) uint8_t *rgba = malloc(pixels * 4);
    _cleanup_(freep) uint8_t *half = malloc(halves * 4);

    cutout->layers = malloc(halves * FOREGROUND_LAYERS);
    if (!rgba || !half || !cutout->layers) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < pixels; i++) {
        memcpy(rgba + 4 * i, rgb + 3 * i, 3);
        rgba[4 * i + 3] = cutout->alpha[i];
    }
    foreground_halve(rgba, cutout->width, cutout->height, half);
    return foreground_estimate(half, half_width, half_height, cutout->layers);
}

int cutout_analyse(const uint8_t *rgb, const float *matte, uint32_t width, uint32_t height,
                   bool fill_inside, Cutout *ret_cutout) {
    static const GuidedFilter filter = {FILTER_RADIUS, FILTER_EPSILON};
    size_t pixels = (size_t)width * height;
    _cleanup_(freep) uint8_t *bytes = malloc(pixels);
    _cleanup_(cutout_done) Cutout cutout = {.width = width, .height = height};
    int r;

    cutout.alpha = malloc(pixels);
    cutout.band = malloc(pixels);
    cutout.coefficients = calloc(pixels, sizeof(Vec4)); /* pages off the edge are never touched */
    if (!bytes || !cutout.alpha || !cutout.band || !cutout.coefficients) {
        return err_trace(-ENOMEM);
    }
    for (size_t i = 0; i < pixels; i++) {
        float value = matte[i] * 255 + 0.5f;
        bytes[i] = (uint8_t)(value > 0 ? MIN(value, 255.0f) : 0);
    }
    r = count_subject(bytes, pixels, &cutout.uncertainty);
    if (r != 0) {
        return r;
    }
    if (fill_inside && (r = inside_fill(bytes, width, height)) < 0) {
        return err_trace(r);
    }
    if ((r = solid_raise(bytes, width, height)) < 0) {
        return err_trace(r);
    }
    r = edge_band_find(bytes, width, height, BAND_RADIUS, cutout.band);
    if (r == 0) {
        r = guided_filter_fit(&filter, rgb, bytes, cutout.band, width, height, cutout.coefficients,
                              cutout.alpha);
    }
    if (r == 0) {
        r = find_layers(rgb, &cutout);
    }
    if (r < 0) {
        return err_trace(r);
    }
    mean_backdrop(rgb, cutout.band, pixels, cutout.backdrop);
    *ret_cutout = cutout;
    cutout = CUTOUT_INIT;
    return 0;
}

void cutout_done(Cutout *cutout) {
    free(cutout->alpha);
    free(cutout->band);
    free(cutout->coefficients);
    free(cutout->layers);
    *cutout = CUTOUT_INIT;
}
