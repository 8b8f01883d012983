/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where the subject goes: crop, margins, scale and position, as geometry alone. */

#include "core/model/recipe.h"
#include "imaging/picture.h"

typedef struct Layout {
    uint32_t width, height;     /* of the canvas */
    Rect from;                  /* the part of the picture that is shown */
    double scale;               /* canvas pixels to one of the picture */
    int32_t left, top;          /* where that part's corner lands on the canvas; may be outside */
    double back_left, back_top; /* the canvas' corner in the picture, for the blurred background */
    double back_scale;          /* picture pixels to one canvas pixel, for the same */
} Layout;

/*
 * `box` is the subject's box in a picture of width x height. The canvas is the picture, or with
 * recipe->crop the box with its margins, which may reach beyond the picture; it is scaled down to
 * `pixels_max` pixels (0: no limit).
 */
Layout layout_plan(const Recipe *recipe, uint32_t width, uint32_t height, const Rect *box,
                   uint64_t pixels_max);

/* Brings the picture onto its canvas, transparent where nothing lies. 0, or a fault. */
int layout_apply(const Layout *layout, Picture *picture);
