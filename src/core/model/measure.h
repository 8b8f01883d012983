/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lengths, regions, margins and positions as the compatible APIs write them. Pure functions. */

#include "base/str.h"

typedef struct Length {
    double value; /* pixels, or per cent (50 means a half) */
    bool percent;
} Length;

/* "12", "12px" or "12%"; not negative. -EINVAL otherwise. */
int length_parse(Str text, Length *ret_length);
/* In pixels, of a whole of `whole` pixels. */
double length_resolve(Length length, double whole);

/* "x1 y1 x2 y2" in px or %. Parsing does not compare with a picture. */
typedef struct Roi {
    Length x1, y1, x2, y2;
} Roi;
#define ROI_WHOLE ((Roi){{0, true}, {0, true}, {100, true}, {100, true}})
int roi_parse(Str text, Roi *ret_roi);

typedef struct Rect {
    uint32_t left, top, width, height;
} Rect;

enum {
    ROI_E_EXCEEDS_BOUNDS = 1, /* a corner lies outside the picture */
    ROI_E_EMPTY,              /* the region has no pixel */
};
/* The region in pixels of a width x height picture. 0 or ROI_E_*. */
int roi_resolve(const Roi *roi, uint32_t width, uint32_t height, Rect *ret_rect);

/* 1, 2 or 4 lengths in CSS order. Each at most 50 % or 500 px; -EINVAL beyond. */
typedef struct Margin {
    Length top, right, bottom, left;
} Margin;
int margin_parse(Str text, Margin *ret_margin);

/* "original", or "10%" ... "100%": 0 stands for original, else 0.1 ... 1. */
int scale_parse(Str text, double *ret_scale);

/* "original", "center", "v%" or "h% v%". */
typedef struct Position {
    bool original;
    double x, y; /* 0 ... 1: 0 puts the subject at the left or top edge, 1 at the right or bottom */
} Position;
int position_parse(Str text, Position *ret_position);
