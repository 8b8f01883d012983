/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/guided_filter.h"

#include "base/macro.h"
#include "imaging/edge_band.h"
#include "imaging/parallel.h"

#include <errno.h>

/* Work goes tile by tile, so that sums stay in the first-level cache and sure tiles cost nothing.
 */
#define TILE       64
#define RADIUS_MAX 16
#define FIT_SIDE   (TILE + 2 * RADIUS_MAX) /* where coefficients are needed for one tile */
#define SUM_SIDE   (TILE + 4 * RADIUS_MAX) /* where pixels are needed for these */

/* Sums over a window of what the fit needs: 13 numbers and the count of pixels. */
typedef struct Moments {
    Vec4 colour; /* r g b p */
    Vec4 cross;  /* rp gp bp rr */
    Vec4 square; /* rg rb gg gb */
    Vec4 rest;   /* bb 1 0 0 */
} Moments;

typedef struct Job {
    const GuidedFilter *filter;
    const uint8_t *guide, *matte, *band;
    int width, height;
    int tiles_across;
    Vec4 *coefficients;
    uint8_t *alpha;
} Job;

typedef struct Scratch {
    Moments columns[SUM_SIDE];
    Vec4 fits[FIT_SIDE][FIT_SIDE];
    Vec4 sums[FIT_SIDE];
} Scratch;

static inline void moments_add(Moments *m, const Moments *other, float sign) {
    Vec4 s = vec4_splat(sign);

    m->colour += s * other->colour;
    m->cross += s * other->cross;
    m->square += s * other->square;
    m->rest += s * other->rest;
}

static inline Moments moments_of(const uint8_t *rgb, uint8_t matte) {
    const float unit = 1.0f / 255;
    float r = (float)rgb[0] * unit, g = (float)rgb[1] * unit, b = (float)rgb[2] * unit;
    float p = (float)matte * unit;

    return (Moments){
        {r, g, b, p}, {r * p, g * p, b * p, r * r}, {r * g, r * b, g * g, g * b}, {b * b, 1, 0, 0}};
}

/* Adds (or takes away) one row of pixels to the sums of the columns from `left` on. */
static void columns_add(const Job *job, Moments *columns, int left, int count, int y, float sign) {
    if (y < 0 || y >= job->height) {
        return;
    }
    for (int i = MAX(0, -left); i < count && left + i < job->width; i++) {
        size_t at = (size_t)y * (size_t)job->width + (size_t)(left + i);
        Moments m = moments_of(job->guide + 3 * at, job->matte[at]);
        moments_add(&columns[i], &m, sign);
    }
}

/* a = (Sigma + epsilon U)^-1 cov(I, p), b = mean(p) - a . mean(I); by the adjugate matrix. */
static Vec4 solve(const Moments *m, float epsilon) {
    float n = 1 / m->rest[1];
    Vec4 mean = m->colour * vec4_splat(n), cross = m->cross * vec4_splat(n);
    Vec4 square = m->square * vec4_splat(n);
    float r = mean[0], g = mean[1], b = mean[2], p = mean[3];
    float rr = cross[3] - r * r + epsilon, rg = square[0] - r * g, rb = square[1] - r * b;
    float gg = square[2] - g * g + epsilon, gb = square[3] - g * b;
    float bb = m->rest[0] * n - b * b + epsilon;
    float cr = cross[0] - r * p, cg = cross[1] - g * p, cb = cross[2] - b * p;
    float i_rr = gg * bb - gb * gb, i_rg = gb * rb - rg * bb, i_rb = rg * gb - gg * rb;
    float i_gg = rr * bb - rb * rb, i_gb = rb * rg - rr * gb, i_bb = rr * gg - rg * rg;
    float det = 1 / (rr * i_rr + rg * i_rg + rb * i_rb);
    float ar = (i_rr * cr + i_rg * cg + i_rb * cb) * det;
    float ag = (i_rg * cr + i_gg * cg + i_gb * cb) * det;
    float ab = (i_rb * cr + i_gb * cg + i_bb * cb) * det;

    return (Vec4){ar, ag, ab, p - ar * r - ag * g - ab * b};
}

/* The coefficients of every window centred in the tile or within a radius of it. */
static void fit_tile(const Job *job, Scratch *scratch, int left, int top) {
    int r = (int)job->filter->radius, side = TILE + 2 * r, columns = TILE + 4 * r;
    int x0 = left - 2 * r, y0 = top - r;

    memset(scratch->columns, 0, sizeof(scratch->columns));
    for (int y = y0 - r; y < y0 + r; y++) {
        columns_add(job, scratch->columns, x0, columns, y, 1);
    }
    for (int row = 0; row < side; row++) {
        Moments window = {0};
        columns_add(job, scratch->columns, x0, columns, y0 + row + r, 1);
        if (row > 0) {
            columns_add(job, scratch->columns, x0, columns, y0 + row - r - 1, -1);
        }
        for (int i = 0; i < 2 * r; i++) {
            moments_add(&window, &scratch->columns[i], 1);
        }
        for (int i = 0; i < side; i++) {
            int x = left - r + i, y = y0 + row;
            moments_add(&window, &scratch->columns[i + 2 * r], 1);
            if (x >= 0 && x < job->width && y >= 0 && y < job->height) {
                scratch->fits[row][i] = solve(&window, job->filter->epsilon);
            } else {
                scratch->fits[row][i] = vec4_splat(0);
            }
            moments_add(&window, &scratch->columns[i], -1);
        }
    }
}

static uint8_t apply(const Job *job, size_t at, Vec4 coefficients) {
    Vec4 colour = vec4_from_rgb(job->guide + 3 * at) + (Vec4){0, 0, 0, 1};
    float alpha = vec4_dot(colour, coefficients) + 0.5f;

    if (job->band[at] != BAND_EDGE) {
        return job->band[at];
    }
    return (uint8_t)CLAMP(alpha, 0.0f, 255.0f);
}

/* Number of windows around `at` whose centre lies in the picture, along one axis. */
static int span(int at, int radius, int size) {
    return MIN(at + radius, size - 1) - MAX(at - radius, 0) + 1;
}

/* Averages the coefficients over all windows that a pixel lies in. */
static void average_tile(const Job *job, Scratch *scratch, int left, int top) {
    int r = (int)job->filter->radius, side = TILE + 2 * r;
    int right = MIN(left + TILE, job->width), bottom = MIN(top + TILE, job->height);
    /* From "0..1 per 0..1" to "0..255 per 255th": a stays, b grows. */
    const Vec4 unit = {1, 1, 1, 255};

    memset(scratch->sums, 0, sizeof(scratch->sums));
    for (int row = 0; row < 2 * r; row++) {
        for (int i = 0; i < side; i++) {
            scratch->sums[i] += scratch->fits[row][i];
        }
    }
    for (int y = top; y < bottom; y++) {
        int row = y - top;
        Vec4 window = vec4_splat(0);
        for (int i = 0; i < side; i++) {
            scratch->sums[i] += scratch->fits[row + 2 * r][i];
        }
        for (int i = 0; i < 2 * r; i++) {
            window += scratch->sums[i];
        }
        for (int x = left; x < right; x++) {
            size_t at = (size_t)y * (size_t)job->width + (size_t)x;
            float n = 1 / (float)(span(x, r, job->width) * span(y, r, job->height));
            window += scratch->sums[x - left + 2 * r];
            job->coefficients[at] = window * unit * vec4_splat(n);
            job->alpha[at] = apply(job, at, job->coefficients[at]);
            window -= scratch->sums[x - left];
        }
        for (int i = 0; i < side; i++) {
            scratch->sums[i] -= scratch->fits[row][i];
        }
    }
}

/* Whether the tile, or the pixel around it that interpolation reaches, has an edge. */
static bool has_edge(const Job *job, int left, int top) {
    int x0 = MAX(left - 1, 0), x1 = MIN(left + TILE + 1, job->width);
    int y0 = MAX(top - 1, 0), y1 = MIN(top + TILE + 1, job->height);

    for (int y = y0; y < y1; y++) {
        const uint8_t *row = job->band + (size_t)y * (size_t)job->width;
        if (memchr(row + x0, BAND_EDGE, (size_t)(x1 - x0))) {
            return true;
        }
    }
    return false;
}

static void copy_sure(const Job *job, int left, int top) {
    int right = MIN(left + TILE, job->width), bottom = MIN(top + TILE, job->height);

    for (int y = top; y < bottom; y++) {
        size_t at = (size_t)y * (size_t)job->width + (size_t)left;
        memcpy(job->alpha + at, job->band + at, (size_t)(right - left));
    }
}

static void run_tiles(void *userdata, uint32_t from, uint32_t to) {
    const Job *job = userdata;
    Scratch scratch;

    for (uint32_t i = from; i < to; i++) {
        int left = (int)i % job->tiles_across * TILE, top = (int)i / job->tiles_across * TILE;
        if (has_edge(job, left, top)) {
            fit_tile(job, &scratch, left, top);
            average_tile(job, &scratch, left, top);
        } else {
            copy_sure(job, left, top);
        }
    }
}

int guided_filter_fit(const GuidedFilter *filter, const uint8_t *guide, const uint8_t *matte,
                      const uint8_t *band, uint32_t width, uint32_t height, Vec4 *ret_coefficients,
                      uint8_t *ret_alpha) {
    uint32_t across = (width + TILE - 1) / TILE, down = (height + TILE - 1) / TILE;
    Job job = {.filter = filter,
               .guide = guide,
               .matte = matte,
               .band = band,
               .width = (int)width,
               .height = (int)height,
               .tiles_across = (int)across,
               .coefficients = ret_coefficients,
               .alpha = ret_alpha};

    if (filter->radius < 1 || filter->radius > RADIUS_MAX) {
        return -EINVAL;
    }
    parallel_for(across * down, 16, run_tiles, &job);
    return 0;
}
