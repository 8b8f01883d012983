/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/edge_band.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>

/* 1: something here is not background; 2: something here is not subject. */
enum {
    NOT_BACKGROUND = 1,
    NOT_SUBJECT = 2,
};

/* to[i] |= the OR of from[i - radius ... i + radius], by shifts that double in length. */
static void spread_row(uint8_t *row, uint8_t *scratch, uint32_t width, uint32_t radius) {
    uint32_t reach = 0; /* row[i] covers i - reach ... i + reach */

    while (reach < radius) {
        uint32_t step = MIN(radius - reach, 2 * reach + 1);
        memcpy(scratch, row, width);
        for (uint32_t i = step; i < width; i++) {
            row[i] |= scratch[i - step];
        }
        for (uint32_t i = 0; i + step < width; i++) {
            row[i] |= scratch[i + step];
        }
        reach += step;
    }
}

static void or_rows(uint8_t *to, const uint8_t *from, uint32_t width) {
    for (uint32_t i = 0; i < width; i++) {
        to[i] |= from[i];
    }
}

int edge_band_find(const uint8_t *matte, uint32_t width, uint32_t height, uint32_t radius,
                   uint8_t *ret_map) {
    size_t size = (size_t)width * height;
    _cleanup_(freep) uint8_t *spread = malloc(size);
    _cleanup_(freep) uint8_t *scratch = malloc(width);

    if (!spread || !scratch) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < size; i++) {
        spread[i] = (uint8_t)((matte[i] > BAND_SURE_LOW ? NOT_BACKGROUND : 0) |
                              (matte[i] < BAND_SURE_HIGH ? NOT_SUBJECT : 0));
    }
    for (uint32_t y = 0; y < height; y++) {
        spread_row(spread + (size_t)y * width, scratch, width, radius);
    }
    for (uint32_t y = 0; y < height; y++) {
        uint32_t from = y > radius ? y - radius : 0, to = MIN(y + radius, height - 1);
        uint8_t *row = ret_map + (size_t)y * width;
        memset(row, 0, width);
        for (uint32_t i = from; i <= to; i++) {
            or_rows(row, spread + (size_t)i * width, width);
        }
        for (uint32_t x = 0; x < width; x++) {
            row[x] = row[x] == NOT_BACKGROUND ? BAND_SUBJECT
                     : row[x] == NOT_SUBJECT  ? BAND_BACKGROUND
                                              : BAND_EDGE;
        }
    }
    return 0;
}
