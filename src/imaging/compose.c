/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/compose.h"

#include "imaging/parallel.h"

#define BLOCK 16 /* of a JPEG with halved colour */

typedef struct Job {
    const Backdrop *backdrop;
    Picture *picture;
    bool opaque;
} Job;

static unsigned divide_255(unsigned value) {
    return (value + 128 + ((value + 128) >> 8)) >> 8;
}

/* What lies behind pixel x, y before the shadow falls on it. */
static Colour behind(const Job *job, uint32_t x, uint32_t y, size_t at) {
    const Backdrop *backdrop = job->backdrop;

    if (backdrop->image) {
        const uint8_t *rgb = backdrop->image->rgb + 3 * at;
        return (Colour){rgb[0], rgb[1], rgb[2], 255};
    }
    if (backdrop->blur) {
        Vec4 c =
            soft_at(backdrop->blur, backdrop->blur_left + ((float)x + 0.5f) * backdrop->blur_step_x,
                    backdrop->blur_top + ((float)y + 0.5f) * backdrop->blur_step_y) +
            vec4_splat(0.5f);
        return (Colour){(uint8_t)c[0], (uint8_t)c[1], (uint8_t)c[2], 255};
    }
    return backdrop->colour;
}

/* Colour a over colour b, neither premultiplied (Porter and Duff, 1984). */
static Colour over(Colour a, Colour b) {
    unsigned below = divide_255(b.a * (255U - a.a)), alpha = a.a + below;

    if (alpha == 0) {
        return (Colour){0};
    }
    return (Colour){(uint8_t)((a.r * a.a + b.r * below + alpha / 2) / alpha),
                    (uint8_t)((a.g * a.a + b.g * below + alpha / 2) / alpha),
                    (uint8_t)((a.b * a.a + b.b * below + alpha / 2) / alpha), (uint8_t)alpha};
}

static Colour shadowed(const Job *job, uint32_t x, uint32_t y, Colour below) {
    const Soft *soft = job->backdrop->shadow;
    float u = ((float)x + 0.5f) * (float)soft->width / (float)job->picture->width;
    float v = ((float)y + 0.5f) * (float)soft->height / (float)job->picture->height;

    return over((Colour){0, 0, 0, (uint8_t)(soft_at(soft, u, v)[3] + 0.5f)}, below);
}

static void compose_pixel(const Job *job, uint32_t x, uint32_t y, size_t at) {
    uint8_t *rgb = job->picture->rgb + 3 * at;
    unsigned alpha = job->picture->alpha[at], rest = 255 - alpha;
    Colour below = behind(job, x, y, at), mixed;

    if (job->backdrop->shadow) {
        below = shadowed(job, x, y, below);
    }
    if (job->opaque) {
        rgb[0] = (uint8_t)divide_255(rgb[0] * alpha + below.r * rest);
        rgb[1] = (uint8_t)divide_255(rgb[1] * alpha + below.g * rest);
        rgb[2] = (uint8_t)divide_255(rgb[2] * alpha + below.b * rest);
        return;
    }
    mixed = over((Colour){rgb[0], rgb[1], rgb[2], (uint8_t)alpha}, below);
    rgb[0] = mixed.r;
    rgb[1] = mixed.g;
    rgb[2] = mixed.b;
    job->picture->alpha[at] = mixed.a;
}

static void compose_rows(void *userdata, uint32_t from, uint32_t to) {
    const Job *job = userdata;
    const Picture *picture = job->picture;

    for (uint32_t y = from; y < to; y++) {
        size_t at = (size_t)y * picture->width;
        for (uint32_t x = 0; x < picture->width; x++, at++) {
            if (picture->alpha[at] != 255) {
                compose_pixel(job, x, y, at);
            }
        }
    }
}

void compose_over(const Backdrop *backdrop, Picture *picture) {
    bool opaque = backdrop->image || backdrop->blur || backdrop->colour.a == 255;
    Job job = {backdrop, picture, opaque};

    parallel_for(picture->height, 64, compose_rows, &job);
    if (opaque) {
        free(picture->alpha);
        picture->alpha = NULL;
    }
}

/* The mean of the visible colours of a block goes to its transparent pixels. */
static void extend_block(Picture *picture, uint32_t left, uint32_t top) {
    uint32_t right = MIN(left + BLOCK, picture->width);
    uint32_t bottom = MIN(top + BLOCK, picture->height);
    uint32_t sums[3] = {0}, weight = 0;
    uint8_t mean[3];

    for (uint32_t y = top; y < bottom; y++) {
        for (uint32_t x = left; x < right; x++) {
            size_t at = (size_t)y * picture->width + x;
            for (size_t c = 0; c < 3; c++) {
                sums[c] += (uint32_t)picture->rgb[3 * at + c] * picture->alpha[at];
            }
            weight += picture->alpha[at];
        }
    }
    if (weight == 0 || weight == 255 * (right - left) * (bottom - top)) {
        return;
    }
    for (size_t c = 0; c < 3; c++) {
        mean[c] = (uint8_t)(sums[c] / weight);
    }
    for (uint32_t y = top; y < bottom; y++) {
        for (uint32_t x = left; x < right; x++) {
            size_t at = (size_t)y * picture->width + x;
            if (picture->alpha[at] == 0) {
                memcpy(picture->rgb + 3 * at, mean, 3);
            }
        }
    }
}

void compose_extend_colours(Picture *picture) {
    for (uint32_t y = 0; y < picture->height; y += BLOCK) {
        for (uint32_t x = 0; x < picture->width; x += BLOCK) {
            extend_block(picture, x, y);
        }
    }
}
