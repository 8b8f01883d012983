/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/bmp.h"
#include "imaging/decode.h"
#include "imaging/sniff.h"

static const char detail_broken[] = "The picture's header is broken.";

/*
 * What rendering needs at its peak: the process with the model's grid, and two or three copies of
 * the pixels (decoded, turned or scaled, composed). Codecs that decode a picture as a whole hold
 * their own copies besides: HEIC and AVIF planes and pixels, TIFF a tile, which may be all of it.
 * memory_test.c holds real peaks against it.
 */
#define MEMORY_BASE      (76ULL << 20)
#define MEMORY_HEIF      12ULL /* bytes a pixel more */
#define MEMORY_HEIF_DEEP 32ULL /* the same of more than 8 bits a sample */

static int read_bmp(Str bytes, ImageInfo *info) {
    BmpHeader header;

    if (bmp_read_header(bytes, &header) < 0) {
        return RENDER_UNREADABLE;
    }
    info->width = header.width;
    info->height = header.height;
    info->pages = 1;
    info->has_alpha = header.has_alpha;
    info->memory = RENDER_MEMORY_PER_PIXEL;
    return 0;
}

/* Integers beyond 16 bits and grey floats: nothing says which of their values is white. */
static bool is_understood(const VipsImage *image) {
    return image->Coding != VIPS_CODING_NONE || image->BandFmt == VIPS_FORMAT_UCHAR ||
           image->BandFmt == VIPS_FORMAT_USHORT || image->Type == VIPS_INTERPRETATION_scRGB ||
           image->Type == VIPS_INTERPRETATION_LAB || image->Type == VIPS_INTERPRETATION_LABS ||
           image->Type == VIPS_INTERPRETATION_XYZ;
}

static uint64_t memory_per_pixel(ImageFormat format, const VipsImage *image) {
    uint64_t extra = 0;

    if (format == IMAGE_FORMAT_HEIC || format == IMAGE_FORMAT_AVIF) {
        extra = image->BandFmt == VIPS_FORMAT_UCHAR ? MEMORY_HEIF : MEMORY_HEIF_DEEP;
    } else if (format == IMAGE_FORMAT_TIFF) {
        extra = 3 * VIPS_IMAGE_SIZEOF_PEL(image);
    }
    return RENDER_MEMORY_PER_PIXEL + extra;
}

/* Of HEIC and AVIF all that is held is in their pixels' memory, of TIFF a tile. */
static bool is_streamed(ImageFormat format, VipsImage *image) {
    int scans = 1;

    switch (format) {
    case IMAGE_FORMAT_JPEG:
        return vips_image_get_typeof(image, "jpeg-multiscan") &&
               vips_image_get_int(image, "jpeg-multiscan", &scans) == 0 && scans == 0;
    case IMAGE_FORMAT_PNG:
        return !vips_image_get_typeof(image, "interlaced");
    case IMAGE_FORMAT_TIFF:
    case IMAGE_FORMAT_HEIC:
    case IMAGE_FORMAT_AVIF:
        return true;
    default:
        return false;
    }
}

static int read_header(Str bytes, ImageInfo *info, const char **reterr_detail) {
    _cleanup_(image_unrefp) VipsImage *image = NULL;

    *reterr_detail = detail_broken;
    if (info->format == IMAGE_FORMAT_BMP) {
        return read_bmp(bytes, info);
    }
    image = decode_open(bytes, (ImageFormat)info->format, 1);
    if (!image || image->Xsize < 1 || image->Ysize < 1) {
        return RENDER_UNREADABLE;
    }
    if (!is_understood(image)) {
        *reterr_detail = "The picture's samples are of a kind that is not accepted.";
        return RENDER_UNREADABLE;
    }
    info->memory = memory_per_pixel((ImageFormat)info->format, image);
    info->width = (uint32_t)image->Xsize;
    info->height = (uint32_t)image->Ysize;
    info->pages = (uint32_t)vips_image_get_n_pages(image);
    info->has_alpha = vips_image_hasalpha(image);
    info->streamed = is_streamed((ImageFormat)info->format, image);
    if (vips_image_get_orientation_swap(image)) {
        info->width = (uint32_t)image->Ysize;
        info->height = (uint32_t)image->Xsize;
    }
    return 0;
}

int image_probe(Str bytes, const ImagingLimits *limits, ImageInfo *ret_info,
                const char **reterr_detail) {
    ImageInfo info = {0};
    ImageFormat format;
    uint64_t pixels;
    int r;

    if (image_sniff(bytes, &format) < 0) {
        *reterr_detail = "Accepted are JPEG, PNG, WebP, GIF, TIFF, BMP, HEIC and AVIF.";
        return RENDER_UNSUPPORTED;
    }
    info.format = (int)format;
    r = read_header(bytes, &info, reterr_detail);
    if (r != 0) {
        return r;
    }
    pixels = (uint64_t)info.width * info.height; /* two 32-bit numbers: fits */
    if (info.width > limits->side_max || info.height > limits->side_max ||
        pixels > limits->pixels_max) {
        *reterr_detail = "The picture has more pixels than are accepted.";
        return RENDER_TOO_LARGE;
    }
    if (info.pages > limits->pages_max) {
        *reterr_detail = "The picture has more frames or pages than are accepted.";
        return RENDER_TOO_LARGE;
    }
    info.memory = MEMORY_BASE + pixels * info.memory; /* of a pixel so far */
    *ret_info = info;
    return 0;
}
