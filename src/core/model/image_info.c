/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/image_info.h"

const char *const image_format_names[] = {"jpeg", "png",  "webp", "gif", "tiff",
                                          "bmp",  "heic", "avif", NULL};

const JsonField image_info_fields[] = {
    {"format", JSON_FIELD_ENUM, offsetof(ImageInfo, format), true, .names = image_format_names},
    {"width", JSON_FIELD_U32, offsetof(ImageInfo, width), true, .min = 1, .max = 1e6},
    {"height", JSON_FIELD_U32, offsetof(ImageInfo, height), true, .min = 1, .max = 1e6},
    {"pages", JSON_FIELD_U32, offsetof(ImageInfo, pages), true},
    {"has_alpha", JSON_FIELD_BOOL, offsetof(ImageInfo, has_alpha), true},
    {"streamed", JSON_FIELD_BOOL, offsetof(ImageInfo, streamed), true},
    {"memory", JSON_FIELD_U64, offsetof(ImageInfo, memory), true, .max = 1e15},
    {0},
};
