/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Four floats at once (GCC vector extension): a colour and one number beside it. */

#include <stdint.h>
#include <string.h>

typedef float Vec4 __attribute__((vector_size(16)));
typedef uint8_t Byte4 __attribute__((vector_size(4)));

static inline Vec4 vec4_splat(float value) {
    return (Vec4){value, value, value, value};
}

/* Three bytes and a zero. */
static inline Vec4 vec4_from_rgb(const uint8_t *rgb) {
    return (Vec4){rgb[0], rgb[1], rgb[2], 0};
}

static inline Vec4 vec4_from_bytes(const uint8_t *bytes) {
    Byte4 packed;

    memcpy(&packed, bytes, sizeof(packed));
    return __builtin_convertvector(packed, Vec4);
}

static inline Vec4 vec4_lerp(Vec4 a, Vec4 b, float share) {
    return a + (b - a) * vec4_splat(share);
}

static inline float vec4_dot(Vec4 a, Vec4 b) {
    Vec4 product = a * b;

    return (product[0] + product[1]) + (product[2] + product[3]);
}
