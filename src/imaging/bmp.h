/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Windows bitmaps, which libvips reads only through ImageMagick. */

#include "base/str.h"

#include <vips/vips.h>

/*
 * Uncompressed bitmaps of 1, 4, 8, 16, 24 and 32 bits with any header from BITMAPCOREHEADER to
 * BITMAPV5HEADER ([MS-WMF] 2.2.2; wingdi.h). Reads the header now and the pixels when they are
 * asked for, so `bytes` must outlive the image. 0, or -1 as libvips functions do.
 */
int bmp_load(Str bytes, VipsImage **ret_image);
