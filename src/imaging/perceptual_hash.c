/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/perceptual_hash.h"

#include <math.h>

#define SIDE  32
#define WAVES 8
/* The sum that a wave with an amplitude of 1/16 has with itself. */
#define STRENGTH_MIN (SIDE * SIDE / 4.0 / 16)

typedef double Cells[SIDE][SIDE];

static double brightness(const Picture *picture, size_t at) {
    const uint8_t *rgb = picture->rgb + 3 * at;
    double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    double alpha = picture->alpha ? picture->alpha[at] / 255.0 : 1;

    return grey * alpha + 255 * (1 - alpha);
}

/* How much of [at, at + 1) lies between `from` and `to`. */
static double overlap(uint32_t at, double from, double to) {
    return fmax(fmin(to, at + 1.0) - fmax(from, at), 0);
}

/* The means of a row's 32 equal parts, which may be less than a pixel wide. */
static void average_row(const Picture *picture, uint32_t y, double *ret_means) {
    double step = (double)picture->width / SIDE;

    for (int i = 0; i < SIDE; i++) {
        double from = i * step, to = from + step, sum = 0;
        for (uint32_t x = (uint32_t)from; x < picture->width && x < to; x++) {
            sum += overlap(x, from, to) * brightness(picture, (size_t)y * picture->width + x);
        }
        ret_means[i] = sum / step;
    }
}

static void average(const Picture *picture, Cells cells) {
    double step = (double)picture->height / SIDE, means[SIDE];

    memset(cells, 0, sizeof(Cells));
    for (uint32_t y = 0; y < picture->height; y++) {
        average_row(picture, y, means);
        for (int j = (int)(y / step); j < SIDE && j * step < y + 1.0; j++) {
            double part = overlap(y, j * step, (j + 1) * step) / step;
            for (int i = 0; i < SIDE; i++) {
                cells[j][i] += part * means[i];
            }
        }
    }
}

/* The frequencies 1...8 each way (DCT-II), without the factor that all of them have. */
static void transform(Cells cells, double ret_waves[WAVES * WAVES]) {
    double cosines[WAVES][SIDE], rows[SIDE][WAVES];

    for (int u = 0; u < WAVES; u++) {
        for (int i = 0; i < SIDE; i++) {
            cosines[u][i] = cos(M_PI * (2 * i + 1) * (u + 1) / (2 * SIDE));
        }
    }
    for (int j = 0; j < SIDE; j++) {
        for (int u = 0; u < WAVES; u++) {
            rows[j][u] = 0;
            for (int i = 0; i < SIDE; i++) {
                rows[j][u] += cosines[u][i] * cells[j][i];
            }
        }
    }
    for (int v = 0; v < WAVES; v++) {
        for (int u = 0; u < WAVES; u++) {
            double sum = 0;
            for (int j = 0; j < SIDE; j++) {
                sum += cosines[v][j] * rows[j][u];
            }
            ret_waves[v * WAVES + u] = sum;
        }
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

uint64_t perceptual_hash(const Picture *picture) {
    double waves[WAVES * WAVES], sorted[WAVES * WAVES], median;
    uint64_t hash = 0;
    Cells cells;

    average(picture, cells);
    transform(cells, waves);
    memcpy(sorted, waves, sizeof(waves));
    qsort(sorted, ARRAY_LEN(sorted), sizeof(sorted[0]), compare);
    if (fmax(-sorted[0], sorted[ARRAY_LEN(sorted) - 1]) < STRENGTH_MIN) {
        return PHOTO_HASH_NONE;
    }
    median = (sorted[ARRAY_LEN(sorted) / 2 - 1] + sorted[ARRAY_LEN(sorted) / 2]) / 2;
    for (size_t i = 0; i < ARRAY_LEN(waves); i++) {
        hash |= (uint64_t)(waves[i] > median) << i;
    }
    return hash;
}
