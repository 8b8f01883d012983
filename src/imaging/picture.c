/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/picture.h"

#include <string.h>

void picture_cut(Picture *picture, const Rect *part) {
    for (uint32_t y = 0; y < part->height; y++) {
        size_t from = (size_t)(part->top + y) * picture->width + part->left;
        size_t to = (size_t)y * part->width;
        memmove(picture->rgb + 3 * to, picture->rgb + 3 * from, (size_t)part->width * 3);
        if (picture->alpha) {
            memmove(picture->alpha + to, picture->alpha + from, part->width);
        }
    }
    picture->width = part->width;
    picture->height = part->height;
}

void picture_flatten_white(Picture *picture) {
    for (size_t i = 0; picture->alpha && i < picture_pixels(picture); i++) {
        unsigned alpha = picture->alpha[i];
        for (size_t c = 3 * i; c < 3 * i + 3; c++) {
            picture->rgb[c] =
                (uint8_t)((picture->rgb[c] * alpha + 255 * (255 - alpha) + 127) / 255);
        }
    }
    free(picture->alpha);
    picture->alpha = NULL;
}

bool picture_is_opaque(const Picture *picture) {
    for (size_t i = 0; picture->alpha && i < picture_pixels(picture); i++) {
        if (picture->alpha[i] != 255) {
            return false;
        }
    }
    return true;
}
