/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A picture in memory: what decoding gives and what every later step works on, in place. */

#include "base/macro.h"
#include "core/model/measure.h"

#include <stdbool.h>
#include <stdint.h>

/* The colour is not premultiplied; rows have no padding. */
typedef struct Picture {
    uint32_t width, height;
    uint8_t *rgb;   /* height x width x 3, sRGB */
    uint8_t *alpha; /* height x width; NULL: opaque */
} Picture;
#define PICTURE_INIT ((Picture){0})

static inline size_t picture_pixels(const Picture *picture) {
    return (size_t)picture->width * picture->height;
}

static inline void picture_done(Picture *picture) {
    free(picture->rgb);
    free(picture->alpha);
    *picture = PICTURE_INIT;
}

/* The size of a picture of width x height whose longer side becomes `side_max`; no side below 1. */
static inline void picture_fit(uint32_t width, uint32_t height, uint32_t side_max,
                               uint32_t *ret_width, uint32_t *ret_height) {
    uint64_t longer = MAX(width, height);

    *ret_width = (uint32_t)MAX((width * (uint64_t)side_max + longer / 2) / longer, 1U);
    *ret_height = (uint32_t)MAX((height * (uint64_t)side_max + longer / 2) / longer, 1U);
}

/* Keeps that part only, in place. */
void picture_cut(Picture *picture, const Rect *part);
/* Lays the picture on white and drops its alpha. */
void picture_flatten_white(Picture *picture);
bool picture_is_opaque(const Picture *picture);
