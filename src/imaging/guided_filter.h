/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The fast guided filter with a colour guide (K. He, J. Sun: "Fast Guided Filter", 2015,
 * arXiv:1505.00996; K. He, J. Sun, X. Tang: "Guided Image Filtering", TPAMI 2013).
 *
 * In each window the matte is taken to be a linear function of colour; the coefficients found on
 * the small grid are averaged there, and later applied to the colours of the full picture, which
 * brings back edges and hair that the small grid could not hold.
 */

#include "imaging/vec.h"

typedef struct GuidedFilter {
    uint32_t radius; /* of the window, grid pixels */
    float epsilon;   /* regularisation, of squared values 0..1 */
} GuidedFilter;

/*
 * `guide` is width x height x 3 bytes, `matte` width x height bytes, `band` a map of edge_band.h.
 * Fills, at least where the band is BAND_EDGE and one pixel around:
 *   ret_coefficients  a for red, green, blue (per 255th) and b, so that alpha (0..255) =
 *                     a . colour + b
 *   ret_alpha         that alpha on the grid; 0 or 255 where the band is sure
 */
int guided_filter_fit(const GuidedFilter *filter, const uint8_t *guide, const uint8_t *matte,
                      const uint8_t *band, uint32_t width, uint32_t height, Vec4 *ret_coefficients,
                      uint8_t *ret_alpha);
