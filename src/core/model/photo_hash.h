/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Perceptual hashes: near-duplicates (scaled, compressed anew, slightly brighter) have hashes of
 * which few bits differ. See src/imaging/perceptual_hash.h for how they are made. A hint to people,
 * never a reason to do anything by itself.
 */

#include <stdbool.h>
#include <stdint.h>

#define PHOTO_HASH_NONE 0 /* the picture is too even to be told from another */
#define PHOTO_HASH_NEAR 8 /* of 64; those of unrelated photos differ in about 32 */

/* How many bits differ, 0...64. */
static inline unsigned photo_hash_distance(uint64_t a, uint64_t b) {
    return (unsigned)__builtin_popcountll(a ^ b);
}

static inline bool photo_hash_near(uint64_t a, uint64_t b) {
    return a != PHOTO_HASH_NONE && b != PHOTO_HASH_NONE &&
           photo_hash_distance(a, b) <= PHOTO_HASH_NEAR;
}
