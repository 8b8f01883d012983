/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bytes in, pixels out: any accepted format as upright 8-bit sRGB. */

#include "imaging/picture.h"
#include "imaging/render.h"

#include <vips/vips.h>

static inline void image_unrefp(VipsImage **image) {
    g_clear_object(image);
}

/*
 * Opens the bytes with the loader of that format, which reads the header only (a BMP's pixels too,
 * which are no more than its bytes). `shrink` is 1, 2, 4 or 8 and counts for JPEG and WebP only.
 * NULL when they are broken. The bytes must outlive the image.
 */
VipsImage *decode_open(Str bytes, ImageFormat format, int shrink);

/* How the pixels of an opened picture must be turned, 1...8 as in EXIF; 1 when it does not say. */
int decode_orientation(VipsImage *image);

/*
 * Decodes; a picture of more than `pixels_max` pixels (0: no limit) is scaled down to it.
 * `info` comes from image_probe(). 0, RENDER_UNREADABLE with *reterr_detail, or a fault.
 */
int decode_picture(Str bytes, const ImageInfo *info, uint64_t pixels_max, Picture *ret_picture,
                   const char **reterr_detail);

/* The same, scaled and cut around its centre so that it covers width x height exactly; opaque. */
int decode_cover(Str bytes, const ImageInfo *info, uint32_t width, uint32_t height,
                 Picture *ret_picture, const char **reterr_detail);

/*
 * The whole picture at `side_max` pixels or less on its longer side, never scaled up. The longer
 * side may be down to 15/16 of side_max when that is a half, a quarter or an eighth of the picture:
 * one of 4032 x 3024 becomes 2016 x 1512 in a third of the time, JPEG's loader halving by itself.
 * Opened first, so that what else the file says can be read off the image (VIPS_META_*), which
 * decode_fit() consumes.
 */
VipsImage *decode_open_fit(Str bytes, const ImageInfo *info, uint32_t side_max);
int decode_fit(VipsImage *image, const ImageInfo *info, uint32_t side_max, Picture *ret_picture,
               const char **reterr_detail);

/* A picture's pixels as an image of 3 or 4 bands, borrowed; NULL when memory is exhausted. */
VipsImage *picture_wrap(const Picture *picture);

/* Scales a decoded picture in place. 0, or a fault. */
int picture_scale(Picture *picture, uint32_t width, uint32_t height);
