/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "imaging/cutout.h"
#include "imaging/edge_band.h"
#include "imaging/foreground.h"
#include "imaging/parallel.h"

#include <errno.h>
#include <math.h>

/* Refined alphas this near to the ends are the filter's murmur, not the subject's. */
#define ALPHA_LOW  12.0f
#define ALPHA_HIGH 245.0f

/* Where a full pixel falls on a smaller grid: the pixel before it, the one after, and between. */
typedef struct Tap {
    uint32_t first, second;
    float share;
} Tap;

typedef struct Job {
    const Cutout *cutout;
    const Rect *region;
    Picture *picture;
    uint8_t *alpha; /* the new one; may be picture->alpha */
    Tap *across, *across_half;
    uint32_t *starts; /* of each grid column's pixels in the region; width + 1 of them */
} Job;

static Tap tap_of(uint32_t at, uint32_t size, uint32_t grid) {
    double centre = (at + 0.5) * grid / size - 0.5, floored;
    Tap tap;

    centre = CLAMP(centre, 0.0, (double)(grid - 1));
    floored = floor(centre);
    tap.first = (uint32_t)floored;
    tap.second = MIN(tap.first + 1, grid - 1);
    tap.share = (float)(centre - floored);
    return tap;
}

static Vec4 coefficients_at(const Cutout *cutout, const Tap *x, const Tap *y) {
    const Vec4 *top = cutout->coefficients + (size_t)y->first * cutout->width;
    const Vec4 *low = cutout->coefficients + (size_t)y->second * cutout->width;

    return vec4_lerp(vec4_lerp(top[x->first], top[x->second], x->share),
                     vec4_lerp(low[x->first], low[x->second], x->share), y->share);
}

/* F (offset 0) or B (offset 4) of the layers. */
static Vec4 layer_at(const Cutout *cutout, const Tap *x, const Tap *y, size_t offset) {
    size_t row = (size_t)((cutout->width + 1) / 2) * FOREGROUND_LAYERS;
    const uint8_t *top = cutout->layers + y->first * row + offset;
    const uint8_t *low = cutout->layers + y->second * row + offset;
    size_t first = (size_t)x->first * FOREGROUND_LAYERS;
    size_t second = (size_t)x->second * FOREGROUND_LAYERS;

    return vec4_lerp(
        vec4_lerp(vec4_from_bytes(top + first), vec4_from_bytes(top + second), x->share),
        vec4_lerp(vec4_from_bytes(low + first), vec4_from_bytes(low + second), x->share), y->share);
}

/*
 * The subject's own colour in a mixed pixel: the least change of the layers' colours that explains
 * the pixel, F + a (I - aF - (1-a)B) / (a^2 + (1-a)^2).
 */
static void set_foreground(uint8_t *rgb, float alpha, Vec4 pixel, Vec4 fore, Vec4 back) {
    float a = alpha / 255, b = 1 - a, gain = a / (a * a + b * b);
    Vec4 colour = fore + vec4_splat(gain) * (pixel - vec4_splat(a) * fore - vec4_splat(b) * back);

    for (int c = 0; c < 3; c++) {
        rgb[c] = (uint8_t)CLAMP(colour[c] + 0.5f, 0.0f, 255.0f);
    }
}

typedef struct RowTaps {
    Tap grid, half;
} RowTaps;

static void edge_pixel(const Job *job, uint32_t x, const RowTaps *row, size_t at) {
    const Cutout *cutout = job->cutout;
    uint8_t *rgb = job->picture->rgb + 3 * at;
    uint32_t old = job->picture->alpha ? job->picture->alpha[at] : 255;
    Vec4 pixel = vec4_from_rgb(rgb), fit = coefficients_at(cutout, &job->across[x], &row->grid);
    float alpha;

    if (old < 255) { /* what the model saw there was the picture on white */
        float cover = (float)old / 255;
        pixel = pixel * vec4_splat(cover) + vec4_splat(255 * (1 - cover));
    }
    pixel[3] = 1;
    alpha = (vec4_dot(pixel, fit) - ALPHA_LOW) * (255 / (ALPHA_HIGH - ALPHA_LOW));
    alpha = floorf(CLAMP(alpha, 0.0f, 255.0f) + 0.5f);
    if (alpha <= 0 || old == 0) {
        job->alpha[at] = 0;
        memset(rgb, 0, 3);
        return;
    }
    if (alpha < 255 && old == 255) {
        set_foreground(rgb, alpha, pixel, layer_at(cutout, &job->across_half[x], &row->half, 0),
                       layer_at(cutout, &job->across_half[x], &row->half, 4));
    }
    job->alpha[at] = (uint8_t)(((uint32_t)alpha * old + 127) / 255);
}

static void sure_run(const Job *job, size_t at, uint32_t count, uint8_t value) {
    if (value == BAND_BACKGROUND) {
        memset(job->alpha + at, 0, count);
        memset(job->picture->rgb + 3 * at, 0, (size_t)count * 3);
    } else if (!job->picture->alpha) {
        memset(job->alpha + at, 255, count);
    }
}

/* Row y of the region, in runs of grid columns that say the same. */
static void apply_row(const Job *job, uint32_t y) {
    const Cutout *cutout = job->cutout;
    uint32_t nearest =
        (uint32_t)((2 * (uint64_t)y + 1) * cutout->height / ((uint64_t)2 * job->region->height));
    const uint8_t *band = cutout->band + (size_t)nearest * cutout->width;
    size_t start = (size_t)(job->region->top + y) * job->picture->width + job->region->left;
    RowTaps row = {tap_of(y, job->region->height, cutout->height),
                   tap_of(y, job->region->height, (cutout->height + 1) / 2)};

    for (uint32_t from = 0, to; from < cutout->width; from = to) {
        for (to = from + 1; to < cutout->width && band[to] == band[from];) {
            to++;
        }
        if (band[from] != BAND_EDGE) {
            sure_run(job, start + job->starts[from], job->starts[to] - job->starts[from],
                     band[from]);
            continue;
        }
        for (uint32_t x = job->starts[from]; x < job->starts[to]; x++) {
            edge_pixel(job, x, &row, start + x);
        }
    }
}

static void apply_rows(void *userdata, uint32_t from, uint32_t to) {
    const Job *job = userdata;
    const Rect *region = job->region;
    uint32_t width = job->picture->width, right = region->left + region->width;

    for (uint32_t y = from; y < to; y++) {
        size_t at = (size_t)y * width;
        if (y < region->top || y >= region->top + region->height) {
            sure_run(job, at, width, BAND_BACKGROUND);
            continue;
        }
        sure_run(job, at, region->left, BAND_BACKGROUND);
        sure_run(job, at + right, width - right, BAND_BACKGROUND);
        apply_row(job, y - region->top);
    }
}

static void fill_taps(Job *job) {
    const Cutout *cutout = job->cutout;
    uint32_t width = job->region->width, at = 0;

    for (uint32_t x = 0; x < width; x++) {
        job->across[x] = tap_of(x, width, cutout->width);
        job->across_half[x] = tap_of(x, width, (cutout->width + 1) / 2);
    }
    for (uint32_t x = 0; x < width; x++) {
        uint32_t nearest =
            (uint32_t)((2 * (uint64_t)x + 1) * cutout->width / ((uint64_t)2 * width));
        while (at <= nearest) {
            job->starts[at++] = x;
        }
    }
    while (at <= cutout->width) {
        job->starts[at++] = width;
    }
}

int cutout_apply(const Cutout *cutout, const Rect *region, Picture *picture) {
    _cleanup_(freep) Tap *across = malloc(region->width * sizeof(Tap));
    _cleanup_(freep) Tap *across_half = malloc(region->width * sizeof(Tap));
    _cleanup_(freep) uint32_t *starts = malloc((cutout->width + 1) * sizeof(uint32_t));
    uint8_t *alpha = picture->alpha ? picture->alpha : malloc(picture_pixels(picture));
    Job job = {cutout, region, picture, alpha, across, across_half, starts};

    if (!across || !across_half || !starts || !alpha) {
        if (!picture->alpha) {
            free(alpha);
        }
        return err_trace(-ENOMEM);
    }
    fill_taps(&job);
    parallel_for(picture->height, 64, apply_rows, &job);
    picture->alpha = alpha;
    return 0;
}
