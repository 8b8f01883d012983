/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From the model's small matte to the cut-out picture. All that is analysed (edge band, guided
 * filter, foreground colours) is analysed on the model's grid; the full picture is gone through
 * once, and only along the edge is there anything to compute for it.
 */

#include "core/model/measure.h"
#include "imaging/picture.h"
#include "imaging/vec.h"

typedef struct Cutout {
    uint32_t width, height; /* of the grid */
    uint8_t *alpha;         /* refined, on the grid */
    uint8_t *band;          /* a map of edge_band.h */
    Vec4 *coefficients;     /* of guided_filter_fit() */
    uint8_t *layers;        /* of foreground_estimate(), at half the grid */
    double uncertainty;     /* share of the subject where the matte is undecided */
    uint8_t backdrop[3];    /* mean colour of what is surely background; black when none is */
} Cutout;
#define CUTOUT_INIT ((Cutout){0})

/*
 * Analyses the model's answer: `rgb` and `matte` as in RenderInput, width x height. With
 * `fill_inside` everything that the outline encloses becomes opaque first.
 * 0, RENDER_NO_FOREGROUND, or -ENOMEM.
 */
int cutout_analyse(const uint8_t *rgb, const float *matte, uint32_t width, uint32_t height,
                   bool fill_inside, Cutout *ret_cutout);
void cutout_done(Cutout *cutout);

/*
 * Cuts `picture` out in place: the grid lies stretched over `region`, everything beyond it becomes
 * transparent. Opaque pixels keep their colours exactly, mixed ones get the subject's own colour,
 * transparent ones become black (which packs well). An alpha the picture had already is multiplied.
 * 0, or -ENOMEM.
 */
int cutout_apply(const Cutout *cutout, const Rect *region, Picture *picture);
