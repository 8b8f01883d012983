/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Colours: any space and profile to 8-bit sRGB. */

#include "base/macro.h"

#include <vips/vips.h>

/* Any colour space to 8-bit sRGB, alpha kept; consumes `image`. NULL when that fails. */
VipsImage *srgb_from(VipsImage *image);

/*
 * Whole numbers of 0..255 from floats; without this, conversion would cut their fractions off.
 * Consumes `image`. NULL when that fails.
 */
VipsImage *srgb_to_nearest(VipsImage *image);
