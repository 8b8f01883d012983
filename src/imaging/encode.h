/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Pixels in, bytes out; nothing of the original's metadata goes along. */

#include "core/model/recipe.h"
#include "imaging/picture.h"

typedef struct Encoded {
    void *bytes; /* freed with g_free() */
    size_t len;
} Encoded;

/*
 * Writes `picture` as `format` (any but auto and ZIP). JPEG has no alpha: it is ignored, flatten
 * beforehand. `quality` 0 is the format's default. 0, or a fault.
 */
int encode_picture(const Picture *picture, OutputFormat format, uint32_t quality,
                   Encoded *ret_encoded);
/* A grey picture of width x height bytes; PNG, JPEG, WebP or AVIF. */
int encode_grey(const uint8_t *grey, uint32_t width, uint32_t height, OutputFormat format,
                uint32_t quality, Encoded *ret_encoded);
