/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mattes of photos seen lately, least recently used out first, so that a photo asked for again with
 * another background needs no inference. A matte is kept under all that it depends on, so a
 * rendition is the same whether it is found here or not. Kept as 8-bit. Not thread-safe.
 */

#include "core/ports/renderer.h"

#define MATTE_KEY_LEN 32

typedef struct MatteKey {
    uint8_t bytes[MATTE_KEY_LEN];
} MatteKey;

typedef struct MatteCache MatteCache;

MatteCache *matte_cache_new(uint64_t bytes_max);
MatteCache *matte_cache_free(MatteCache *cache); /* accepts NULL */

/*
 * The pixels that the model is shown, width x height x 3 bytes, and the model. (Not the photo's
 * bytes: a preview is decoded smaller, and so is shown to the model in other pixels.)
 */
int matte_key(const uint8_t *rgb, uint32_t width, uint32_t height, const char *model,
              MatteKey *ret_key);

/* Fills `ret_matte` with `pixels` values 0..1 and returns true, when it is there. */
bool matte_cache_get(MatteCache *cache, const MatteKey *key, float *ret_matte, uint64_t pixels);
void matte_cache_put(MatteCache *cache, const MatteKey *key, const float *matte, uint64_t pixels);
