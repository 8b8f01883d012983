/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/decode.h"
#include "imaging/sniff.h"

/* What a worker needs before the first pixel, and for each pixel of the decoded picture. */
#define MEMORY_BASE      (32ULL << 20)
#define MEMORY_PER_PIXEL 12ULL

int image_probe(Str bytes, const ImagingLimits *limits, ImageInfo *ret_info,
                const char **reterr_detail) {
    _cleanup_(image_unrefp) VipsImage *image = NULL;
    ImageInfo info = {0};
    ImageFormat format;
    uint64_t pixels;

    if (image_sniff(bytes, &format) < 0) {
        *reterr_detail = "Accepted are JPEG, PNG, WebP, GIF, TIFF, BMP, HEIC and AVIF.";
        return RENDER_UNSUPPORTED;
    }
    image = decode_open(bytes, format, 1);
    if (!image || image->Xsize < 1 || image->Ysize < 1) {
        *reterr_detail = "The picture's header is broken.";
        return RENDER_UNREADABLE;
    }
    info.format = (int)format;
    info.width = (uint32_t)image->Xsize;
    info.height = (uint32_t)image->Ysize;
    info.pages = (uint32_t)vips_image_get_n_pages(image);
    info.has_alpha = vips_image_hasalpha(image);
    pixels = (uint64_t)info.width * info.height;
    if (info.width > limits->side_max || info.height > limits->side_max ||
        pixels > limits->pixels_max) {
        *reterr_detail = "The picture has more pixels than are accepted.";
        return RENDER_TOO_LARGE;
    }
    if (info.pages > limits->pages_max) {
        *reterr_detail = "The picture has more frames or pages than are accepted.";
        return RENDER_TOO_LARGE;
    }
    if (vips_image_get_orientation_swap(image)) {
        info.width = (uint32_t)image->Ysize;
        info.height = (uint32_t)image->Xsize;
    }
    info.memory = MEMORY_BASE + pixels * MEMORY_PER_PIXEL;
    *ret_info = info;
    return 0;
}
