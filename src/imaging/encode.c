/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/encode.h"

#include "base/error.h"
#include "imaging/decode.h"

static int save(VipsImage *image, OutputFormat format, uint32_t quality, Encoded *ret_encoded) {
    void *bytes = NULL;
    size_t len = 0;
    int r = -1;

    switch (format) {
    case OUTPUT_FORMAT_PNG:
        r = vips_pngsave_buffer(image, &bytes, &len, "compression", 2, "filter",
                                VIPS_FOREIGN_PNG_FILTER_UP, "strip", TRUE, NULL);
        break;
    case OUTPUT_FORMAT_JPEG:
        r = vips_jpegsave_buffer(image, &bytes, &len, "Q", quality ? (int)quality : 90, "strip",
                                 TRUE, NULL);
        break;
    case OUTPUT_FORMAT_WEBP:
        r = vips_webpsave_buffer(image, &bytes, &len, "Q", quality ? (int)quality : 90, "effort", 2,
                                 "strip", TRUE, NULL);
        break;
    case OUTPUT_FORMAT_AVIF:
        r = vips_heifsave_buffer(image, &bytes, &len, "Q", quality ? (int)quality : 63,
                                 "compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "effort", 0,
                                 "strip", TRUE, NULL);
        break;
    case OUTPUT_FORMAT_AUTO:
    case OUTPUT_FORMAT_ZIP:
        break;
    }
    if (r) {
        vips_error_clear();
        return err_trace(-EIO);
    }
    *ret_encoded = (Encoded){bytes, len};
    return 0;
}

static VipsImage *wrap(const uint8_t *pixels, uint32_t width, uint32_t height, int bands) {
    size_t len = (size_t)width * height * (size_t)bands;
    _cleanup_(image_unrefp) VipsImage *raw =
        vips_image_new_from_memory(pixels, len, (int)width, (int)height, bands, VIPS_FORMAT_UCHAR);
    VipsImage *image = NULL;

    if (!raw || vips_copy(raw, &image, "interpretation",
                          bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL)) {
        return NULL;
    }
    return image;
}

int encode_picture(const Picture *picture, OutputFormat format, uint32_t quality,
                   Encoded *ret_encoded) {
    _cleanup_(image_unrefp) VipsImage *colour = NULL;
    _cleanup_(image_unrefp) VipsImage *alpha = NULL;
    _cleanup_(image_unrefp) VipsImage *both = NULL;

    colour = wrap(picture->rgb, picture->width, picture->height, 3);
    if (!colour) {
        return err_trace(-ENOMEM);
    }
    if (!picture->alpha || format == OUTPUT_FORMAT_JPEG) {
        return save(colour, format, quality, ret_encoded);
    }
    alpha = wrap(picture->alpha, picture->width, picture->height, 1);
    if (!alpha || vips_bandjoin2(colour, alpha, &both, NULL)) {
        return err_trace(-ENOMEM);
    }
    return save(both, format, quality, ret_encoded);
}

int encode_grey(const uint8_t *grey, uint32_t width, uint32_t height, OutputFormat format,
                uint32_t quality, Encoded *ret_encoded) {
    _cleanup_(image_unrefp) VipsImage *image = wrap(grey, width, height, 1);

    return image ? save(image, format, quality, ret_encoded) : err_trace(-ENOMEM);
}
