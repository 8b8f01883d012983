/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/decode.h"

#include "base/error.h"
#include "imaging/bmp.h"
#include "imaging/srgb.h"

#include <assert.h>
#include <math.h>

/* A side that decoding gives at no cost is taken when it is at least so much of what is wanted. */
#define FIT_NUMERATOR   15
#define FIT_DENOMINATOR 16

static const char detail_broken[] = "The picture is broken or ends too early.";

static VipsImage *open_bmp(Str bytes) {
    BmpHeader header;

    return bmp_read_header(bytes, &header) < 0 ? NULL : bmp_decode(&header);
}

VipsImage *decode_open(Str bytes, ImageFormat format, int shrink) {
    void *data = (void *)bytes.ptr;
    size_t len = bytes.len;
    VipsImage *image = NULL;
    int r = -1;

    switch (format) {
    case IMAGE_FORMAT_JPEG:
        r = vips_jpegload_buffer(data, len, &image, "shrink", shrink, "access",
                                 VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL);
        break;
    case IMAGE_FORMAT_PNG:
        r = vips_pngload_buffer(data, len, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                VIPS_FAIL_ON_TRUNCATED, NULL);
        break;
    case IMAGE_FORMAT_WEBP:
        r = vips_webpload_buffer(data, len, &image, "scale", 1.0 / shrink, "access",
                                 VIPS_ACCESS_SEQUENTIAL, NULL);
        break;
    case IMAGE_FORMAT_GIF:
        r = vips_gifload_buffer(data, len, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                VIPS_FAIL_ON_TRUNCATED, NULL);
        break;
    case IMAGE_FORMAT_TIFF:
        r = vips_tiffload_buffer(data, len, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                 VIPS_FAIL_ON_TRUNCATED, NULL);
        break;
    case IMAGE_FORMAT_HEIC:
    case IMAGE_FORMAT_AVIF:
        r = vips_heifload_buffer(data, len, &image, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
        break;
    case IMAGE_FORMAT_BMP:
        image = open_bmp(bytes);
        r = image ? 0 : -1;
        break;
    case _IMAGE_FORMAT_MAX:
        break;
    }
    if (r) {
        vips_error_clear();
        g_clear_object(&image);
    }
    return image;
}

/* Scales to exactly width x height, with regard to alpha; consumes `image`. */
static VipsImage *scale_to(VipsImage *image, uint32_t width, uint32_t height) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    _cleanup_(image_unrefp) VipsImage *weighted = NULL;
    _cleanup_(image_unrefp) VipsImage *scaled = NULL;
    _cleanup_(image_unrefp) VipsImage *straight = NULL;
    double h = (double)width / from->Xsize, v = (double)height / from->Ysize;
    VipsImage *out = NULL;

    if (!vips_image_hasalpha(from)) {
        return vips_resize(from, &out, h, "vscale", v, NULL) ? NULL : out;
    }
    if (vips_premultiply(from, &weighted, NULL) ||
        vips_resize(weighted, &scaled, h, "vscale", v, NULL) ||
        vips_unpremultiply(scaled, &straight, NULL)) {
        return NULL;
    }
    return srgb_to_nearest(TAKE_PTR(straight));
}

/* Exactly 3 or 4 bands of 8 bits; consumes `image`. */
static VipsImage *to_bytes(VipsImage *image) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    _cleanup_(image_unrefp) VipsImage *cut = NULL;
    VipsImage *out = NULL;
    int bands = vips_image_hasalpha(from) ? 4 : 3;

    if (from->Bands < bands || vips_extract_band(from, &cut, 0, "n", bands, NULL) ||
        vips_cast(cut, &out, VIPS_FORMAT_UCHAR, NULL)) {
        return NULL;
    }
    return out;
}

VipsImage *picture_wrap(const Picture *picture) {
    _cleanup_(image_unrefp) VipsImage *colour = NULL;
    _cleanup_(image_unrefp) VipsImage *alpha = NULL;
    _cleanup_(image_unrefp) VipsImage *both = NULL;
    int width = (int)picture->width, height = (int)picture->height;
    size_t pixels = picture_pixels(picture);
    VipsImage *out = NULL;

    colour =
        vips_image_new_from_memory(picture->rgb, pixels * 3, width, height, 3, VIPS_FORMAT_UCHAR);
    if (!colour) {
        return NULL;
    }
    if (!picture->alpha) {
        both = TAKE_PTR(colour);
    } else {
        alpha =
            vips_image_new_from_memory(picture->alpha, pixels, width, height, 1, VIPS_FORMAT_UCHAR);
        if (!alpha || vips_bandjoin2(colour, alpha, &both, NULL)) {
            return NULL;
        }
    }
    return vips_copy(both, &out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) ? NULL : out;
}

/* Computes every pixel and turns them upright; consumes `image`. */
static VipsImage *to_memory(VipsImage *image, int orientation) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    _cleanup_(image_unrefp) VipsImage *flat = vips_image_copy_memory(from);
    _cleanup_(image_unrefp) VipsImage *turned = NULL;

    if (!flat || orientation == 1) {
        return TAKE_PTR(flat);
    }
    g_clear_object(&from);
    vips_image_set_int(flat, VIPS_META_ORIENTATION, orientation);
    if (vips_autorot(flat, &turned, NULL)) {
        return NULL;
    }
    return vips_image_copy_memory(turned);
}

/* Moves the pixels into a Picture, colour and alpha apart. */
static int to_picture(VipsImage *image, Picture *ret_picture) {
    size_t pixels = (size_t)image->Xsize * (size_t)image->Ysize;
    const uint8_t *from = (const uint8_t *)VIPS_IMAGE_ADDR(image, 0, 0);
    _cleanup_(picture_done)
        Picture picture = {.width = (uint32_t)image->Xsize, .height = (uint32_t)image->Ysize};

    picture.rgb = malloc(pixels * 3);
    if (!picture.rgb || (image->Bands == 4 && !(picture.alpha = malloc(pixels)))) {
        return -ENOMEM;
    }
    if (image->Bands == 3) {
        memcpy(picture.rgb, from, pixels * 3);
    } else {
        for (size_t i = 0; i < pixels; i++) {
            memcpy(picture.rgb + 3 * i, from + 4 * i, 3);
            picture.alpha[i] = from[4 * i + 3];
        }
    }
    *ret_picture = picture;
    picture = PICTURE_INIT;
    return 0;
}

int decode_orientation(VipsImage *image) {
    int orientation = 1;

    if (vips_image_get_typeof(image, VIPS_META_ORIENTATION) &&
        vips_image_get_int(image, VIPS_META_ORIENTATION, &orientation)) {
        vips_error_clear();
    }
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

/* What of a picture is wanted, as it is shown: the middle `part_*` of it, at `width` x `height`. */
typedef struct Wanted {
    uint32_t part_width, part_height;
    uint32_t width, height;
} Wanted;

/* The middle of an image that may have been decoded smaller; consumes `image`. */
static VipsImage *cut_middle(VipsImage *image, const ImageInfo *info, const Wanted *wanted) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    double x = (double)wanted->part_width / info->width;
    double y = (double)wanted->part_height / info->height;
    int width = (int)MAX(lround(from->Xsize * x), 1), height = (int)MAX(lround(from->Ysize * y), 1);
    VipsImage *out = NULL;

    if (width >= from->Xsize && height >= from->Ysize) {
        return TAKE_PTR(from);
    }
    width = MIN(width, from->Xsize);
    height = MIN(height, from->Ysize);
    return vips_extract_area(from, &out, (from->Xsize - width) / 2, (from->Ysize - height) / 2,
                             width, height, NULL)
               ? NULL
               : out;
}

/* From an opened picture to all of its pixels, before they are turned; consumes `image`. */
static VipsImage *run_pipeline(VipsImage *image, const ImageInfo *info, const Wanted *wanted) {
    image = srgb_from(image);
    if (image) {
        image = cut_middle(image, info, wanted);
    }
    if (image &&
        ((uint32_t)image->Xsize != wanted->width || (uint32_t)image->Ysize != wanted->height)) {
        image = scale_to(image, wanted->width, wanted->height);
    }
    return image ? to_bytes(image) : NULL;
}

/* 0 with the reason why the last operation of libvips failed: the picture, or our memory. */
static int judge_failure(const char **reterr_detail) {
    bool memory = strstr(vips_error_buffer(), "out of memory") != NULL;

    vips_error_clear();
    if (memory) {
        return err_trace(-ENOMEM);
    }
    *reterr_detail = detail_broken;
    return RENDER_UNREADABLE;
}

/* From an opened picture to its upright pixels as they are wanted; consumes `image`. */
static int decode_opened(VipsImage *image, const ImageInfo *info, const Wanted *upright,
                         Picture *ret_picture, const char **reterr_detail) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    int orientation = decode_orientation(from), r;
    ImageInfo stored = *info;
    Wanted wanted = *upright;

    if (orientation >= 5) {
        wanted =
            (Wanted){upright->part_height, upright->part_width, upright->height, upright->width};
        stored.width = info->height;
        stored.height = info->width;
    }
    from = run_pipeline(TAKE_PTR(from), &stored, &wanted);
    if (from) {
        from = to_memory(TAKE_PTR(from), orientation);
    }
    if (!from) {
        return judge_failure(reterr_detail);
    }
    if ((uint32_t)from->Xsize != upright->width || (uint32_t)from->Ysize != upright->height) {
        return err_trace(-EIO);
    }
    r = to_picture(from, ret_picture);
    return r < 0 ? err_trace(r) : 0;
}

/* Decoded at a fraction of its size when that still has more pixels than wanted. */
static int decode_wanted(Str bytes, const ImageInfo *info, const Wanted *upright,
                         Picture *ret_picture, const char **reterr_detail) {
    uint32_t ratio =
        MIN(upright->part_width / upright->width, upright->part_height / upright->height);
    int shrink = ratio >= 8 ? 8 : ratio >= 4 ? 4 : ratio >= 2 ? 2 : 1;
    VipsImage *image = decode_open(bytes, (ImageFormat)info->format, shrink);

    if (!image) {
        *reterr_detail = detail_broken;
        return RENDER_UNREADABLE;
    }
    return decode_opened(image, info, upright, ret_picture, reterr_detail);
}

/* The mean of each block of pixels, which is what JPEG gives; consumes `image`. */
static VipsImage *shrink_by(VipsImage *image, unsigned shrink) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    VipsImage *out = NULL;

    /* Beside alpha the colours would need weights: that is left to scaling. */
    if (shrink == 1 || vips_image_hasalpha(from) || from->Coding != VIPS_CODING_NONE) {
        return TAKE_PTR(from);
    }
    if (vips_shrink(from, &out, shrink, shrink, NULL)) {
        vips_error_clear();
        return NULL;
    }
    return out;
}

VipsImage *decode_open_fit(Str bytes, const ImageInfo *info, uint32_t side_max) {
    uint64_t longer = MAX(info->width, info->height), shorter = MIN(info->width, info->height);
    uint64_t enough = (uint64_t)side_max * FIT_NUMERATOR / FIT_DENOMINATOR;
    VipsImage *image;
    unsigned shrink = 8;

    while (shrink > 1 && (longer / shrink < enough || longer <= side_max || shorter < shrink)) {
        shrink /= 2;
    }
    image = decode_open(bytes, (ImageFormat)info->format, (int)shrink);
    if (image && info->format != IMAGE_FORMAT_JPEG && info->format != IMAGE_FORMAT_WEBP) {
        image = shrink_by(image, shrink);
    }
    return image;
}

int decode_fit(VipsImage *image, const ImageInfo *info, uint32_t side_max, Picture *ret_picture,
               const char **reterr_detail) {
    bool turned = decode_orientation(image) >= 5;
    uint32_t width = (uint32_t)(turned ? image->Ysize : image->Xsize);
    uint32_t height = (uint32_t)(turned ? image->Xsize : image->Ysize);
    Wanted wanted = {info->width, info->height, width, height};

    if (MAX(width, height) > side_max) {
        picture_fit(info->width, info->height, side_max, &wanted.width, &wanted.height);
    }
    return decode_opened(image, info, &wanted, ret_picture, reterr_detail);
}

int picture_scale(Picture *picture, uint32_t width, uint32_t height) {
    _cleanup_(image_unrefp) VipsImage *image = picture_wrap(picture);
    Picture scaled;
    int r;

    if (image) {
        image = scale_to(TAKE_PTR(image), width, height);
    }
    if (image) {
        image = to_memory(TAKE_PTR(image), 1);
    }
    if (!image) {
        vips_error_clear();
        return err_trace(-ENOMEM);
    }
    r = to_picture(image, &scaled);
    if (r < 0) {
        return err_trace(r);
    }
    picture_done(picture);
    *picture = scaled;
    return 0;
}

int decode_cover(Str bytes, const ImageInfo *info, uint32_t width, uint32_t height,
                 Picture *ret_picture, const char **reterr_detail) {
    uint64_t wide = (uint64_t)info->width * height, high = (uint64_t)info->height * width;
    Wanted wanted = {info->width, info->height, width, height};
    int r;

    /* Cut to shape before it is scaled: of a long strip little is seen, and all of it is much. */
    if (wide > high) {
        wanted.part_width = (uint32_t)MAX(high / height, 1U);
    } else {
        wanted.part_height = (uint32_t)MAX(wide / width, 1U);
    }
    r = decode_wanted(bytes, info, &wanted, ret_picture, reterr_detail);
    if (r == 0) {
        picture_flatten_white(ret_picture);
    }
    return r;
}

int decode_picture(Str bytes, const ImageInfo *info, uint64_t pixels_max, Picture *ret_picture,
                   const char **reterr_detail) {
    uint64_t pixels = (uint64_t)info->width * info->height;
    Wanted wanted = {info->width, info->height, info->width, info->height};

    if (pixels_max > 0 && pixels > pixels_max) {
        double factor = sqrt((double)pixels_max / (double)pixels);
        uint32_t width = MAX((uint32_t)(info->width * factor), 1U);
        uint32_t height = MAX((uint32_t)(info->height * factor), 1U);
        /* A very long picture: one side is held at 1, so the other carries the limit alone. */
        wanted.width = (uint32_t)MIN((uint64_t)width, MAX(pixels_max / height, 1U));
        wanted.height = (uint32_t)MIN((uint64_t)height, MAX(pixels_max / wanted.width, 1U));
    }
    return decode_wanted(bytes, info, &wanted, ret_picture, reterr_detail);
}
