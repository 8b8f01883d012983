/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/model/photo_hash.h"
#include "imaging/picture.h"

/*
 * pHash: brightness over white, averaged to 32 x 32; of its discrete cosine transform the 8 x 8
 * lowest frequencies without the two of constant rows and columns; a bit each, set when above
 * their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
 * Hagenberg 2010, section 3.2.1; averaging takes the place of its 7 x 7 mean filter). Bit 8 * v + u
 * is horizontal frequency u + 1 and vertical frequency v + 1. PHOTO_HASH_NONE when no frequency is
 * stronger than a 1/16 of a step of brightness. Any size; deterministic on one machine.
 */
uint64_t perceptual_hash(const Picture *picture);
