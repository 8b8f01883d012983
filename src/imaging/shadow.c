/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/shadow.h"

#include "base/error.h"

/* Shares of the subject's longer side. */
#define SIDE_MAX 320
#define DROP     0.025
#define SOFTNESS 0.02

/* Means of the alpha over each cell of the soft picture. */
static void shrink_alpha(const Picture *canvas, int64_t drop, Soft *soft) {
    for (uint32_t y = 0; y < canvas->height; y++) {
        int64_t target = ((int64_t)y + drop) * soft->height / canvas->height;
        const uint8_t *alpha = canvas->alpha + (size_t)y * canvas->width;
        Vec4 *row = soft->pixels + (size_t)target * soft->width;
        if (target >= soft->height) {
            break;
        }
        for (uint32_t cell = 0, x = 0; cell < soft->width; cell++) {
            uint32_t end = (uint32_t)((uint64_t)(cell + 1) * canvas->width / soft->width), sum = 0;
            for (; x < end; x++) {
                sum += alpha[x];
            }
            row[cell][3] += (float)sum;
        }
    }
}

int shadow_make(const Picture *canvas, const Rect *box, double opacity, Soft *ret_shadow) {
    uint32_t side = MAX(canvas->width, canvas->height), subject = MAX(box->width, box->height);
    double factor = side > SIDE_MAX ? (double)SIDE_MAX / side : 1;
    Soft soft;
    float scale;
    int r = soft_new(MAX((uint32_t)(canvas->width * factor), 1U),
                     MAX((uint32_t)(canvas->height * factor), 1U), &soft);

    if (r < 0) {
        return err_trace(r);
    }
    shrink_alpha(canvas, (int64_t)(DROP * subject), &soft);
    scale = (float)(opacity * soft.width * soft.height / (double)picture_pixels(canvas));
    for (size_t i = 0; i < (size_t)soft.width * soft.height; i++) {
        soft.pixels[i][3] = MIN(soft.pixels[i][3] * scale, (float)(255 * opacity));
    }
    r = soft_blur(&soft, MAX(SOFTNESS * subject * factor, 0.5));
    if (r < 0) {
        soft_done(&soft);
        return err_trace(r);
    }
    *ret_shadow = soft;
    return 0;
}
