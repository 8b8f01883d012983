/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Windows bitmaps, which libvips reads only through ImageMagick. */

#include "base/str.h"

#include <vips/vips.h>

/*
 * Uncompressed bitmaps of 1, 4, 8, 16, 24 and 32 bits with a BITMAPINFOHEADER or one of its
 * extensions up to BITMAPV5HEADER (wingdi.h), colour masks included; run-length coding is not.
 */
typedef struct BmpHeader {
    uint32_t width, height;
    bool top_down, has_alpha;
    uint32_t bits;
    uint32_t masks[4]; /* red, green, blue, alpha of 16- and 32-bit pixels */
    const uint8_t *palette;
    uint32_t colours; /* in the palette */
    const uint8_t *pixels;
    uint64_t stride;
} BmpHeader;

/* 0 when the header is sound and all pixels are there, or -EINVAL. Points into `bytes`. */
int bmp_read_header(Str bytes, BmpHeader *ret_header);

/* A memory image of 3 or 4 bands, or NULL. Check the size in the header first. */
VipsImage *bmp_decode(const BmpHeader *header);
