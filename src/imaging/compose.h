/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The subject over what lies behind it. */

#include "core/model/colour.h"
#include "imaging/picture.h"
#include "imaging/soft.h"

typedef struct Backdrop {
    Colour colour;        /* where neither of the next two is given; its alpha may be anything */
    const Picture *image; /* opaque, as large as the canvas */
    const Soft *blur;
    float blur_left, blur_top;      /* where the canvas' corner lies in the soft picture */
    float blur_step_x, blur_step_y; /* soft pixels to one of the canvas */
    const Soft *shadow;             /* stretched over the canvas; NULL: none */
} Backdrop;

/*
 * Lays the picture on the backdrop, in place. When the backdrop is opaque the picture loses its
 * alpha; else it has the alpha of both together.
 */
void compose_over(const Backdrop *backdrop, Picture *picture);

/* Black is what transparent pixels hold; gives those near the subject its colour, for JPEG. */
void compose_extend_colours(Picture *picture);
