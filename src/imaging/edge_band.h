/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a matte is sure and where it is not. Everything costly (guided filter, colour estimation)
 * happens in the band between, which is a tenth of a usual photo; the rest keeps its exact pixels.
 */

#include <stdbool.h>
#include <stdint.h>

/* What a byte of the map says. */
enum {
    BAND_BACKGROUND = 0, /* background, as is everything within the radius */
    BAND_EDGE = 1,
    BAND_SUBJECT = 255, /* subject, as is everything within the radius */
};

/* Matte values (of 255) at and below or above which the model is taken to be sure. */
#define BAND_SURE_LOW  5
#define BAND_SURE_HIGH 250

/* `matte` and `ret_map` are width x height bytes. 0, or -ENOMEM. */
int edge_band_find(const uint8_t *matte, uint32_t width, uint32_t height, uint32_t radius,
                   uint8_t *ret_map);
