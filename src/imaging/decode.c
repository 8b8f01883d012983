/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/decode.h"

#include "base/error.h"
#include "imaging/bmp.h"

#include <assert.h>
#include <math.h>

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
        r = vips_webpload_buffer(data, len, &image, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
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

/*
 * Whether the embedded profile calls itself sRGB: most photos do, and transforming them is a slow
 * way of changing nothing. Its description is ASCII or UTF-16 in big-endian order (ICC.1:2010).
 */
static bool is_srgb_profile(VipsImage *image) {
    static const char ascii[] = "sRGB", wide[] = "\0s\0R\0G\0B";
    const void *profile;
    size_t len;

    if (image->Bands < 3 || vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &len)) {
        return false;
    }
    return memmem(profile, len, ascii, sizeof(ascii) - 1) != NULL ||
           memmem(profile, len, wide, sizeof(wide) - 1) != NULL;
}

/* Any colour space to 8-bit sRGB, alpha kept; consumes `image`. NULL when that fails. */
static VipsImage *to_srgb(VipsImage *image) {
    _cleanup_(image_unrefp) VipsImage *from = image;
    VipsImage *out = NULL;
    bool cmyk = from->Type == VIPS_INTERPRETATION_CMYK;
    bool profile = vips_image_get_typeof(from, VIPS_META_ICC_NAME) != 0;

    if ((cmyk || (profile && !is_srgb_profile(from))) && from->Coding == VIPS_CODING_NONE &&
        from->BandFmt <= VIPS_FORMAT_USHORT) {
        if (vips_icc_transform(from, &out, "srgb", "embedded", TRUE, "input_profile",
                               cmyk ? "cmyk" : "srgb", "intent", VIPS_INTENT_PERCEPTUAL, "depth", 8,
                               NULL) == 0) {
            return out;
        }
        /* A profile that does not fit its picture is ignored. */
        vips_error_clear();
        out = NULL;
    }
    if (vips_colourspace(from, &out, VIPS_INTERPRETATION_sRGB, NULL)) {
        return NULL;
    }
    return out;
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
        vips_unpremultiply(scaled, &straight, NULL) ||
        vips_cast(straight, &out, VIPS_FORMAT_UCHAR, NULL)) {
        return NULL;
    }
    return out;
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

    if (!flat || orientation <= 1 || orientation > 8) {
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

static int read_orientation(VipsImage *image) {
    int orientation = 1;

    if (vips_image_get_typeof(image, VIPS_META_ORIENTATION) &&
        vips_image_get_int(image, VIPS_META_ORIENTATION, &orientation)) {
        vips_error_clear();
    }
    return orientation;
}

/*
 * `width` x `height` is the size after turning. A JPEG is decoded at a fraction of its size when
 * that still has more pixels than wanted.
 */
static int decode_scaled(Str bytes, const ImageInfo *info, uint32_t width, uint32_t height,
                         Picture *ret_picture, const char **reterr_detail) {
    uint32_t ratio = MIN(info->width / width, info->height / height);
    int shrink = ratio >= 8 ? 8 : ratio >= 4 ? 4 : ratio >= 2 ? 2 : 1;
    _cleanup_(image_unrefp) VipsImage *image =
        decode_open(bytes, (ImageFormat)info->format, shrink);
    int orientation, r;

    if (!image) {
        *reterr_detail = detail_broken;
        return RENDER_UNREADABLE;
    }
    orientation = read_orientation(image);
    if (orientation >= 5 && orientation <= 8) {
        uint32_t swapped = width;
        width = height;
        height = swapped;
    }
    image = to_srgb(TAKE_PTR(image));
    if (image && ((uint32_t)image->Xsize != width || (uint32_t)image->Ysize != height)) {
        image = scale_to(TAKE_PTR(image), width, height);
    }
    if (image) {
        image = to_bytes(TAKE_PTR(image));
    }
    if (image) {
        image = to_memory(TAKE_PTR(image), orientation);
    }
    if (!image) {
        vips_error_clear();
        *reterr_detail = detail_broken;
        return RENDER_UNREADABLE;
    }
    r = to_picture(image, ret_picture);
    return r < 0 ? err_trace(r) : 0;
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
    double factor = MAX((double)width / info->width, (double)height / info->height);
    uint32_t wide = MAX((uint32_t)lround(info->width * factor), width);
    uint32_t high = MAX((uint32_t)lround(info->height * factor), height);
    _cleanup_(picture_done) Picture whole = PICTURE_INIT;
    Rect part = {(wide - width) / 2, (high - height) / 2, width, height};
    int r;

    /* A long strip would grow without bound if all of it were scaled up: cut it down first. */
    r = decode_scaled(bytes, info, MIN(wide, info->width), MIN(high, info->height), &whole,
                      reterr_detail);
    if (r != 0) {
        return r;
    }
    if (factor > 1) {
        uint32_t keep_wide = MIN((uint32_t)ceil(width / factor), whole.width);
        uint32_t keep_high = MIN((uint32_t)ceil(height / factor), whole.height);
        picture_cut(&whole, &(Rect){(whole.width - keep_wide) / 2, (whole.height - keep_high) / 2,
                                    keep_wide, keep_high});
        r = picture_scale(&whole, width, height);
        if (r < 0) {
            return r;
        }
    } else {
        picture_cut(&whole, &part);
    }
    picture_flatten_white(&whole);
    *ret_picture = whole;
    whole = PICTURE_INIT;
    return 0;
}

int decode_picture(Str bytes, const ImageInfo *info, uint64_t pixels_max, Picture *ret_picture,
                   const char **reterr_detail) {
    uint64_t pixels = (uint64_t)info->width * info->height;
    uint32_t width = info->width, height = info->height;

    if (pixels_max > 0 && pixels > pixels_max) {
        double factor = sqrt((double)pixels_max / (double)pixels);
        width = MAX((uint32_t)(info->width * factor), 1U);
        height = MAX((uint32_t)(info->height * factor), 1U);
        /* A very long picture: one side is held at 1, so the other carries the limit alone. */
        width = (uint32_t)MIN((uint64_t)width, MAX(pixels_max / height, 1U));
        height = (uint32_t)MIN((uint64_t)height, MAX(pixels_max / width, 1U));
    }
    return decode_scaled(bytes, info, width, height, ret_picture, reterr_detail);
}
