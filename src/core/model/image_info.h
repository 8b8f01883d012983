/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the header of a picture says, before anything is decoded. */

#include "base/json.h"

typedef enum ImageFormat {
    IMAGE_FORMAT_JPEG,
    IMAGE_FORMAT_PNG,
    IMAGE_FORMAT_WEBP,
    IMAGE_FORMAT_GIF,
    IMAGE_FORMAT_TIFF,
    IMAGE_FORMAT_BMP,
    IMAGE_FORMAT_HEIC,
    IMAGE_FORMAT_AVIF,
    _IMAGE_FORMAT_MAX,
} ImageFormat;

/* "jpeg", "png" ...; the order of the enum, NULL-terminated. */
extern const char *const image_format_names[];

typedef struct ImageInfo {
    int format;             /* ImageFormat */
    uint32_t width, height; /* pixels, as shown (after the orientation tag is applied) */
    uint32_t pages;         /* frames or pages; only the first is used */
    bool has_alpha;
    bool streamed;   /* row by row, else its codec holds all of it (progressive, interlaced ...) */
    uint64_t memory; /* at most what rendering it at full size to JPEG, PNG or ZIP takes */
} ImageInfo;

extern const JsonField image_info_fields[];
