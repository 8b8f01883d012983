/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/despill.h"

/* How much the screen's channel must lead the others, of 255. */
#define LEAD 40

Screen despill_screen(const uint8_t *backdrop) {
    int r = backdrop[0], g = backdrop[1], b = backdrop[2];

    if (g > MAX(r, b) + LEAD) {
        return SCREEN_GREEN;
    }
    return b > MAX(r, g) + LEAD ? SCREEN_BLUE : SCREEN_NONE;
}

void despill_apply(Picture *picture, Screen screen) {
    size_t channel = screen == SCREEN_GREEN ? 1 : 2, other = screen == SCREEN_GREEN ? 2 : 1;

    if (screen == SCREEN_NONE) {
        return;
    }
    for (size_t i = 0; i < picture_pixels(picture); i++) {
        uint8_t *rgb = picture->rgb + 3 * i;
        rgb[channel] = MIN(rgb[channel], MAX(rgb[0], rgb[other]));
    }
}
