/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/soft.h"

#include "base/macro.h"

#include <errno.h>
#include <math.h>

#define TAPS_MAX 256

int soft_new(uint32_t width, uint32_t height, Soft *ret_soft) {
    Vec4 *pixels = calloc((size_t)width * height, sizeof(Vec4));

    if (!pixels) {
        return -ENOMEM;
    }
    *ret_soft = (Soft){width, height, pixels};
    return 0;
}

void soft_done(Soft *soft) {
    free(soft->pixels);
    *soft = SOFT_INIT;
}

/* One row or column of `count` pixels that lie `stride` apart, through `line`. */
static void blur_line(Vec4 *pixels, int count, size_t stride, const float *taps, int reach,
                      Vec4 *line) {
    for (int i = 0; i < count; i++) {
        line[i] = pixels[(size_t)i * stride];
    }
    for (int i = 0; i < count; i++) {
        Vec4 sum = line[i] * vec4_splat(taps[0]);
        for (int t = 1; t <= reach; t++) {
            sum += (line[MAX(i - t, 0)] + line[MIN(i + t, count - 1)]) * vec4_splat(taps[t]);
        }
        pixels[(size_t)i * stride] = sum;
    }
}

int soft_blur(Soft *soft, double sigma) {
    int reach = (int)MIN(ceil(3 * sigma), TAPS_MAX - 1.0);
    _cleanup_(freep) Vec4 *line = malloc(MAX(soft->width, soft->height) * sizeof(Vec4));
    float taps[TAPS_MAX], total = 1;

    if (!line) {
        return -ENOMEM;
    }
    taps[0] = 1;
    for (int t = 1; t <= reach; t++) {
        taps[t] = expf((float)(-0.5 * t * t / (sigma * sigma)));
        total += 2 * taps[t];
    }
    for (int t = 0; t <= reach; t++) {
        taps[t] /= total;
    }
    for (uint32_t y = 0; y < soft->height; y++) {
        blur_line(soft->pixels + (size_t)y * soft->width, (int)soft->width, 1, taps, reach, line);
    }
    for (uint32_t x = 0; x < soft->width; x++) {
        blur_line(soft->pixels + x, (int)soft->height, soft->width, taps, reach, line);
    }
    return 0;
}

Vec4 soft_at(const Soft *soft, float u, float v) {
    float x = CLAMP(u - 0.5f, 0.0f, (float)(soft->width - 1));
    float y = CLAMP(v - 0.5f, 0.0f, (float)(soft->height - 1));
    uint32_t x0 = (uint32_t)x, y0 = (uint32_t)y;
    uint32_t x1 = MIN(x0 + 1, soft->width - 1), y1 = MIN(y0 + 1, soft->height - 1);
    const Vec4 *top = soft->pixels + (size_t)y0 * soft->width;
    const Vec4 *low = soft->pixels + (size_t)y1 * soft->width;

    return vec4_lerp(vec4_lerp(top[x0], top[x1], x - (float)x0),
                     vec4_lerp(low[x0], low[x1], x - (float)x0), y - (float)y0);
}
