/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/sniff.h"

#include "core/model/photo_type.h"

#include <errno.h>

int image_sniff(Str bytes, ImageFormat *ret_format) {
    static const struct {
        PhotoType type;
        ImageFormat format;
    } formats[] = {
        {PHOTO_TYPE_JPEG, IMAGE_FORMAT_JPEG}, {PHOTO_TYPE_PNG, IMAGE_FORMAT_PNG},
        {PHOTO_TYPE_WEBP, IMAGE_FORMAT_WEBP}, {PHOTO_TYPE_GIF, IMAGE_FORMAT_GIF},
        {PHOTO_TYPE_TIFF, IMAGE_FORMAT_TIFF}, {PHOTO_TYPE_BMP, IMAGE_FORMAT_BMP},
        {PHOTO_TYPE_HEIC, IMAGE_FORMAT_HEIC}, {PHOTO_TYPE_AVIF, IMAGE_FORMAT_AVIF},
    };
    PhotoType type = photo_type_sniff(bytes);

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (formats[i].type == type) {
            *ret_format = formats[i].format;
            return 0;
        }
    }
    return -EINVAL;
}
