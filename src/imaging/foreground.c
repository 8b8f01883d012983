/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/foreground.h"

#include "base/macro.h"
#include "imaging/vec.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

/* Weights and iterations of the paper (section III). */
#define REGULARISATION  1e-5f
#define GRADIENT_WEIGHT 1.0f
#define SMALL_SIDE      32
#define SMALL_ROUNDS    10
#define BIG_ROUNDS      2
#define LEVELS_MAX      16

typedef struct Level {
    uint32_t width, height;
    const uint8_t *rgba;
    uint8_t *owned;
    Vec4 *fore, *back; /* 0..255; the fourth number is not used */
} Level;

static void level_done(Level *level) {
    free(level->owned);
    free(level->fore);
    free(level->back);
    *level = (Level){0};
}

void foreground_halve(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *ret_rgba) {
    uint32_t half_width = (width + 1) / 2, half_height = (height + 1) / 2;

    for (uint32_t y = 0; y < half_height; y++) {
        const uint8_t *top = rgba + (size_t)(2 * y) * width * 4;
        const uint8_t *low = rgba + (size_t)MIN(2 * y + 1, height - 1) * width * 4;
        for (uint32_t x = 0; x < half_width; x++) {
            size_t a = (size_t)(2 * x) * 4, b = (size_t)MIN(2 * x + 1, width - 1) * 4;
            uint8_t *to = ret_rgba + ((size_t)y * half_width + x) * 4;
            for (size_t c = 0; c < 4; c++) {
                to[c] = (uint8_t)((top[a + c] + top[b + c] + low[a + c] + low[b + c] + 2) / 4);
            }
        }
    }
}

/* The level's start: known colours where alpha is 0 or 1, the coarser level's everywhere else. */
static void level_begin(Level *level, const Level *coarse) {
    for (uint32_t y = 0; y < level->height; y++) {
        for (uint32_t x = 0; x < level->width; x++) {
            size_t i = (size_t)y * level->width + x;
            Vec4 pixel = vec4_from_bytes(level->rgba + 4 * i);
            uint8_t alpha = level->rgba[4 * i + 3];
            Vec4 fore = pixel, back = pixel;
            if (coarse) {
                size_t j = (size_t)(y / 2) * coarse->width + x / 2;
                fore = coarse->fore[j];
                back = coarse->back[j];
            }
            level->fore[i] = alpha == 255 ? pixel : fore;
            level->back[i] = alpha == 0 ? pixel : back;
        }
    }
}

/* One pixel's 2 x 2 system, equation (9) of the paper, given its neighbours. */
static void solve_pixel(Level *level, size_t i, const size_t *neighbours) {
    float alpha = (float)level->rgba[4 * i + 3] / 255, rest = 1 - alpha;
    float a00 = alpha * alpha, a01 = alpha * rest, a11 = rest * rest, det;
    Vec4 pixel = vec4_from_bytes(level->rgba + 4 * i);
    Vec4 b0 = pixel * vec4_splat(alpha), b1 = pixel * vec4_splat(rest), fore, back;

    for (int n = 0; n < 4; n++) {
        size_t j = neighbours[n];
        float step = fabsf(alpha - (float)level->rgba[4 * j + 3] / 255);
        float weight = REGULARISATION + GRADIENT_WEIGHT * step;
        a00 += weight;
        a11 += weight;
        b0 += vec4_splat(weight) * level->fore[j];
        b1 += vec4_splat(weight) * level->back[j];
    }
    det = 1 / (a00 * a11 - a01 * a01);
    fore = (b0 * vec4_splat(a11) - b1 * vec4_splat(a01)) * vec4_splat(det);
    back = (b1 * vec4_splat(a00) - b0 * vec4_splat(a01)) * vec4_splat(det);
    for (int c = 0; c < 3; c++) {
        level->fore[i][c] = CLAMP(fore[c], 0.0f, 255.0f);
        level->back[i][c] = CLAMP(back[c], 0.0f, 255.0f);
    }
}

/* Sure pixels among their like keep what they have: only the edge is solved. */
static void level_round(Level *level) {
    for (uint32_t y = 0; y < level->height; y++) {
        for (uint32_t x = 0; x < level->width; x++) {
            size_t i = (size_t)y * level->width + x;
            size_t neighbours[4] = {y > 0 ? i - level->width : i,
                                    y + 1 < level->height ? i + level->width : i, x > 0 ? i - 1 : i,
                                    x + 1 < level->width ? i + 1 : i};
            uint8_t alpha = level->rgba[4 * i + 3];
            bool mixed = alpha != 0 && alpha != 255;
            for (int n = 0; n < 4 && !mixed; n++) {
                mixed = level->rgba[4 * neighbours[n] + 3] != alpha;
            }
            if (mixed) {
                solve_pixel(level, i, neighbours);
            }
        }
    }
}

static int level_solve(Level *level, const Level *coarse) {
    size_t pixels = (size_t)level->width * level->height;
    bool is_small = level->width <= SMALL_SIDE && level->height <= SMALL_SIDE;

    level->fore = malloc(pixels * sizeof(Vec4));
    level->back = malloc(pixels * sizeof(Vec4));
    if (!level->fore || !level->back) {
        return -ENOMEM;
    }
    level_begin(level, coarse);
    for (int i = 0; i < (is_small ? SMALL_ROUNDS : BIG_ROUNDS); i++) {
        level_round(level);
    }
    return 0;
}

static int make_levels(Level *levels, int *ret_count) {
    int count = 1;

    while (count < LEVELS_MAX && (levels[count - 1].width > 1 || levels[count - 1].height > 1)) {
        const Level *fine = &levels[count - 1];
        Level *level = &levels[count];
        *level = (Level){.width = (fine->width + 1) / 2, .height = (fine->height + 1) / 2};
        level->owned = malloc((size_t)level->width * level->height * 4);
        if (!level->owned) {
            return -ENOMEM;
        }
        level->rgba = level->owned;
        foreground_halve(fine->rgba, fine->width, fine->height, level->owned);
        count++;
    }
    *ret_count = count;
    return 0;
}

static void write_layers(const Level *level, uint8_t *to) {
    for (size_t i = 0; i < (size_t)level->width * level->height; i++, to += FOREGROUND_LAYERS) {
        for (int c = 0; c < 3; c++) {
            to[c] = (uint8_t)(level->fore[i][c] + 0.5f);
            to[4 + c] = (uint8_t)(level->back[i][c] + 0.5f);
        }
        to[3] = to[7] = 0;
    }
}

int foreground_estimate(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *ret_layers) {
    Level levels[LEVELS_MAX] = {{.width = width, .height = height, .rgba = rgba}};
    int count = 0, r = make_levels(levels, &count);

    for (int i = count - 1; i >= 0 && r == 0; i--) {
        const Level *coarse = i + 1 < count ? &levels[i + 1] : NULL;
        r = level_solve(&levels[i], coarse);
        if (coarse) {
            level_done(&levels[i + 1]);
        }
    }
    if (r == 0) {
        write_layers(&levels[0], ret_layers);
    }
    for (int i = 0; i < LEVELS_MAX; i++) {
        level_done(&levels[i]);
    }
    return r;
}
