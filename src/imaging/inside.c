/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/inside.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>

/* Below this a pixel lets the outside through; the outer edge stays soft over EDGE pixels. */
#define THRESHOLD 128
#define EDGE      6

enum {
    UNSEEN = 0,
    OUTSIDE = 1,
};

typedef struct Flood {
    const uint8_t *matte;
    uint8_t *seen;
    uint32_t *stack;
    size_t depth;
} Flood;

static void visit(Flood *flood, size_t at) {
    if (flood->seen[at] == UNSEEN && flood->matte[at] < THRESHOLD) {
        flood->seen[at] = OUTSIDE;
        flood->stack[flood->depth++] = (uint32_t)at;
    }
}

static void flood_from_border(Flood *flood, uint32_t width, uint32_t height) {
    for (uint32_t x = 0; x < width; x++) {
        visit(flood, x);
        visit(flood, (size_t)(height - 1) * width + x);
    }
    for (uint32_t y = 0; y < height; y++) {
        visit(flood, (size_t)y * width);
        visit(flood, (size_t)y * width + width - 1);
    }
    while (flood->depth > 0) {
        size_t at = flood->stack[--flood->depth];
        uint32_t x = (uint32_t)(at % width), y = (uint32_t)(at / width);
        if (x > 0) {
            visit(flood, at - 1);
        }
        if (x + 1 < width) {
            visit(flood, at + 1);
        }
        if (y > 0) {
            visit(flood, at - width);
        }
        if (y + 1 < height) {
            visit(flood, at + width);
        }
    }
}

/* Steps from the outside, along rows and columns, at most EDGE + 1 (in place of OUTSIDE marks). */
static void measure_depth(uint8_t *depth, uint32_t width, uint32_t height) {
    size_t size = (size_t)width * height;

    for (size_t i = 0; i < size; i++) {
        depth[i] = depth[i] == OUTSIDE ? 0 : EDGE + 1;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned left = i % width ? depth[i - 1] : EDGE,
                 above = i >= width ? depth[i - width] : EDGE;
        depth[i] = (uint8_t)MIN(depth[i], MIN(left, above) + 1);
    }
    for (size_t i = size; i-- > 0;) {
        unsigned right = (i + 1) % width ? depth[i + 1] : EDGE;
        unsigned below = i + width < size ? depth[i + width] : EDGE;
        depth[i] = (uint8_t)MIN(depth[i], MIN(right, below) + 1);
    }
}

int inside_fill(uint8_t *matte, uint32_t width, uint32_t height) {
    size_t size = (size_t)width * height;
    _cleanup_(freep) uint8_t *seen = calloc(size, 1);
    _cleanup_(freep) uint32_t *stack = malloc(size * sizeof(uint32_t));
    Flood flood = {matte, seen, stack, 0};

    if (!seen || !stack) {
        return -ENOMEM;
    }
    flood_from_border(&flood, width, height);
    measure_depth(seen, width, height);
    for (size_t i = 0; i < size; i++) {
        if (seen[i] > EDGE) {
            matte[i] = 255;
        }
    }
    return 0;
}
