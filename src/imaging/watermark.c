/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/watermark.h"

#define STRIPES   12 /* across the shorter side */
#define SHARE     8  /* one part in so many is stripe */
#define GREY      128
#define ALPHA_MIN 96

static void mark_pixel(Picture *picture, size_t at) {
    uint8_t *rgb = picture->rgb + 3 * at;
    bool clear = picture->alpha && picture->alpha[at] < ALPHA_MIN;

    for (size_t c = 0; c < 3; c++) {
        rgb[c] = clear ? GREY : (uint8_t)((rgb[c] + GREY) / 2);
    }
    if (clear) {
        picture->alpha[at] = ALPHA_MIN;
    }
}

void watermark_draw(Picture *picture) {
    uint32_t period = MAX(MIN(picture->width, picture->height) / STRIPES, (uint32_t)SHARE);

    for (uint32_t y = 0; y < picture->height; y++) {
        for (uint32_t x = 0; x < picture->width; x++) {
            if ((x + y) % period < period / SHARE) {
                mark_pixel(picture, (size_t)y * picture->width + x);
            }
        }
    }
}
