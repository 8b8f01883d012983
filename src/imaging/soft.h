/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small pictures of smooth things (a blurred background, a shadow), stretched when drawn. */

#include "imaging/vec.h"

typedef struct Soft {
    uint32_t width, height;
    Vec4 *pixels;
} Soft;
#define SOFT_INIT ((Soft){0})

/* All zero. 0, or -ENOMEM. */
int soft_new(uint32_t width, uint32_t height, Soft *ret_soft);
void soft_done(Soft *soft);

/* Gaussian, sigma in pixels of the soft picture; edges are repeated. 0, or -ENOMEM. */
int soft_blur(Soft *soft, double sigma);

/* Bilinear; u, v in its pixels, centres at .5; edges are repeated. */
Vec4 soft_at(const Soft *soft, float u, float v);
