/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/str.h"

typedef struct Colour {
    uint8_t r, g, b, a;
} Colour; /* sRGB, not premultiplied */

/*
 * Reads 3, 4, 6 or 8 hex digits, with or without '#', or a CSS colour name (CSS Color Module
 * Level 4, section 6.1, and "transparent"), in any case. 0, or -EINVAL.
 */
int colour_parse(Str text, Colour *ret_colour);
