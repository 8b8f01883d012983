/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/solid.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>

/* Least values around a pixel from which, and up to which, it turns from as it is to opaque. */
#define LEAST_LOW  102 /* 0.4 */
#define LEAST_HIGH 153 /* 0.6 */

static void least_of(uint8_t *to, const uint8_t *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        to[i] = MIN(to[i], from[i]);
    }
}

/* to[i] = the least of from[i - radius ... i + radius], by shifts that double in length. */
static void shrink_row(uint8_t *row, uint8_t *scratch, uint32_t width) {
    uint32_t reach = 0;

    while (reach < SOLID_RADIUS) {
        uint32_t step = MIN(SOLID_RADIUS - reach, 2 * reach + 1);
        if (step < width) {
            memcpy(scratch, row, width);
            least_of(row + step, scratch, width - step);
            least_of(row, scratch + step, width - step);
        }
        reach += step;
    }
}

/* 0 up to LEAST_LOW, 255 from LEAST_HIGH on, smooth between (3 t^2 - 2 t^3). */
static void fill_curve(uint8_t curve[256]) {
    for (int i = 0; i < 256; i++) {
        float t = (float)(i - LEAST_LOW) / (LEAST_HIGH - LEAST_LOW);
        t = CLAMP(t, 0.0f, 1.0f);
        curve[i] = (uint8_t)(t * t * (3 - 2 * t) * 255 + 0.5f);
    }
}

int solid_raise(uint8_t *matte, uint32_t width, uint32_t height) {
    size_t size = (size_t)width * height;
    _cleanup_(freep) uint8_t *across = malloc(size);
    _cleanup_(freep) uint8_t *least = malloc(width);
    uint8_t curve[256];

    if (!across || !least) {
        return -ENOMEM;
    }
    fill_curve(curve);
    memcpy(across, matte, size);
    for (uint32_t y = 0; y < height; y++) {
        shrink_row(across + (size_t)y * width, least, width);
    }
    for (uint32_t y = 0; y < height; y++) {
        uint32_t from = y > SOLID_RADIUS ? y - SOLID_RADIUS : 0;
        uint32_t to = MIN(y + SOLID_RADIUS, height - 1);
        uint8_t *row = matte + (size_t)y * width;
        memset(least, 255, width);
        for (uint32_t i = from; i <= to; i++) {
            least_of(least, across + (size_t)i * width, width);
        }
        for (uint32_t x = 0; x < width; x++) {
            row[x] = MAX(row[x], curve[least[x]]);
        }
    }
    return 0;
}
