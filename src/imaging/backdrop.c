/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/backdrop.h"

#include "base/error.h"
#include "imaging/edge_band.h"

#include <math.h>

/* So many pixels to a sigma: enough that stretching a soft picture does not show. */
#define PIXELS_PER_SIGMA 4
#define SIDE_MIN         256.0
#define SIDE_MAX         2048.0
/* Where hardly any background is near, its mean colour is taken. */
#define WEIGHT_FALLBACK 1e-3f

/* Whether the model is sure that a pixel of the picture is background. */
static bool is_backdrop(const Cutout *cutout, const Rect *region, uint32_t x, uint32_t y) {
    uint64_t u = (uint64_t)(x - region->left) * cutout->width / MAX(region->width, 1U);
    uint64_t v = (uint64_t)(y - region->top) * cutout->height / MAX(region->height, 1U);

    if (x < region->left || y < region->top || u >= cutout->width || v >= cutout->height) {
        return true;
    }
    return cutout->band[v * cutout->width + u] == BAND_BACKGROUND;
}

static void add_pixel(const Picture *picture, size_t at, Vec4 *sum) {
    Vec4 colour = vec4_from_rgb(picture->rgb + 3 * at);

    if (picture->alpha) { /* on white, as everywhere */
        float cover = (float)picture->alpha[at] / 255;
        colour = colour * vec4_splat(cover) + vec4_splat(255 * (1 - cover));
    }
    colour[3] = 1;
    *sum += colour;
}

/* Sums of background colours in each cell, and their number in the fourth place. */
static void gather(const Picture *picture, const Cutout *cutout, const Rect *region, Soft *soft) {
    for (uint32_t y = 0; y < picture->height; y++) {
        uint32_t row = (uint32_t)((uint64_t)y * soft->height / picture->height);
        Vec4 *cells = soft->pixels + (size_t)row * soft->width;
        for (uint32_t x = 0; x < picture->width; x++) {
            if (is_backdrop(cutout, region, x, y)) {
                uint32_t cell = (uint32_t)((uint64_t)x * soft->width / picture->width);
                add_pixel(picture, (size_t)y * picture->width + x, &cells[cell]);
            }
        }
    }
}

int backdrop_blur(const Picture *picture, const Cutout *cutout, const Rect *region, double sigma,
                  Soft *ret_soft) {
    uint32_t longer = MAX(picture->width, picture->height);
    double side = MIN(CLAMP(PIXELS_PER_SIGMA / sigma, SIDE_MIN, SIDE_MAX), (double)longer);
    double factor = side / longer, full = 1 / (factor * factor);
    Vec4 mean = {0, 0, 0, 0};
    Soft soft;
    int r = soft_new(MAX((uint32_t)(picture->width * factor), 1U),
                     MAX((uint32_t)(picture->height * factor), 1U), &soft);

    if (r < 0) {
        return err_trace(r);
    }
    gather(picture, cutout, region, &soft);
    for (size_t i = 0; i < (size_t)soft.width * soft.height; i++) {
        soft.pixels[i] /= vec4_splat((float)full);
        mean += soft.pixels[i];
    }
    mean = mean[3] > 0 ? mean / vec4_splat(mean[3]) : vec4_splat(255);
    r = soft_blur(&soft, MAX(sigma * side, 0.3));
    if (r < 0) {
        soft_done(&soft);
        return err_trace(r);
    }
    for (size_t i = 0; i < (size_t)soft.width * soft.height; i++) {
        Vec4 sum = soft.pixels[i] + mean * vec4_splat(WEIGHT_FALLBACK);
        soft.pixels[i] = sum / vec4_splat(soft.pixels[i][3] + WEIGHT_FALLBACK);
    }
    *ret_soft = soft;
    return 0;
}
