/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/subject_box.h"

#include "base/error.h"
#include "core/ports/renderer.h"

/* Alpha from which a pixel is part of the subject: about 0.05. */
#define VISIBLE 13
/* Connectedness is looked at on at most this many cells a side. */
#define CELLS_MAX      256
#define SPECK_DIVISOR  100
#define CELLS_AREA_MAX ((size_t)CELLS_MAX * CELLS_MAX)

typedef struct Cells {
    uint32_t size; /* pixels a side of a cell */
    uint32_t width, height;
    uint32_t *mass;   /* sum of the visible alphas of a cell */
    uint32_t *parent; /* union-find; of cells with mass */
    uint64_t *total;  /* of a root: the mass of its component */
} Cells;

static uint32_t find_root(const Cells *cells, uint32_t i) {
    while (cells->parent[i] != i) {
        cells->parent[i] = cells->parent[cells->parent[i]];
        i = cells->parent[i];
    }
    return i;
}

static void join(const Cells *cells, uint32_t a, uint32_t b) {
    if (cells->mass[b] > 0) {
        uint32_t x = find_root(cells, a), y = find_root(cells, b);
        cells->parent[MAX(x, y)] = MIN(x, y);
    }
}

static void sum_mass(const Picture *picture, const Cells *cells) {
    for (uint32_t y = 0; y < picture->height; y++) {
        const uint8_t *alpha = picture->alpha + (size_t)y * picture->width;
        uint32_t *mass = cells->mass + (size_t)(y / cells->size) * cells->width;
        for (uint32_t cell = 0, x = 0; cell < cells->width; cell++) {
            uint32_t end = MIN(x + cells->size, picture->width), sum = 0;
            for (; x < end; x++) {
                sum += alpha[x] >= VISIBLE ? alpha[x] : 0;
            }
            mass[cell] += sum;
        }
    }
}

/* Joins cells that touch, corners included. */
static void join_cells(const Cells *cells) {
    for (uint32_t i = 0; i < cells->width * cells->height; i++) {
        uint32_t x = i % cells->width;
        cells->parent[i] = i;
        if (cells->mass[i] == 0) {
            continue;
        }
        if (x > 0) {
            join(cells, i, i - 1);
        }
        if (i >= cells->width) {
            join(cells, i, i - cells->width);
            if (x > 0) {
                join(cells, i, i - cells->width - 1);
            }
            if (x + 1 < cells->width) {
                join(cells, i, i - cells->width + 1);
            }
        }
    }
}

/* The box of all components that are no specks, in cells; false when there is none. */
static bool box_cells(const Cells *cells, Rect *box) {
    uint32_t count = cells->width * cells->height;
    uint32_t left = UINT32_MAX, top = UINT32_MAX, right = 0, bottom = 0;
    uint64_t most = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (cells->mass[i] > 0) {
            uint64_t *total = &cells->total[find_root(cells, i)];
            *total += cells->mass[i];
            most = MAX(most, *total);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = i % cells->width, y = i / cells->width;
        if (cells->mass[i] > 0 && cells->total[find_root(cells, i)] >= most / SPECK_DIVISOR) {
            left = MIN(left, x);
            right = MAX(right, x + 1);
            top = MIN(top, y);
            bottom = MAX(bottom, y + 1);
        }
    }
    *box = (Rect){left, top, right - left, bottom - top};
    return most > 0;
}

static bool row_visible(const Picture *picture, const Rect *box, uint32_t y) {
    const uint8_t *alpha = picture->alpha + (size_t)y * picture->width;

    for (uint32_t x = box->left; x < box->left + box->width; x++) {
        if (alpha[x] >= VISIBLE) {
            return true;
        }
    }
    return false;
}

static bool column_visible(const Picture *picture, const Rect *box, uint32_t x) {
    for (uint32_t y = box->top; y < box->top + box->height; y++) {
        if (picture->alpha[(size_t)y * picture->width + x] >= VISIBLE) {
            return true;
        }
    }
    return false;
}

/* From cells to pixels: cuts off what is empty along each side. */
static void tighten(const Picture *picture, uint32_t cell, Rect *box) {
    box->left *= cell;
    box->top *= cell;
    box->width = MIN(box->width * cell, picture->width - box->left);
    box->height = MIN(box->height * cell, picture->height - box->top);
    while (box->height > 1 && !row_visible(picture, box, box->top)) {
        box->top++;
        box->height--;
    }
    while (box->height > 1 && !row_visible(picture, box, box->top + box->height - 1)) {
        box->height--;
    }
    while (box->width > 1 && !column_visible(picture, box, box->left)) {
        box->left++;
        box->width--;
    }
    while (box->width > 1 && !column_visible(picture, box, box->left + box->width - 1)) {
        box->width--;
    }
}

int subject_box_find(const Picture *picture, Rect *ret_box) {
    uint32_t side = MAX(picture->width, picture->height);
    Cells cells = {.size = (side + CELLS_MAX - 1) / CELLS_MAX};
    _cleanup_(freep) uint32_t *mass = calloc(CELLS_AREA_MAX, sizeof(uint32_t));
    _cleanup_(freep) uint32_t *parent = calloc(CELLS_AREA_MAX, sizeof(uint32_t));
    _cleanup_(freep) uint64_t *total = calloc(CELLS_AREA_MAX, sizeof(uint64_t));
    Rect box;

    if (!mass || !parent || !total) {
        return err_trace(-ENOMEM);
    }
    cells.width = (picture->width + cells.size - 1) / cells.size;
    cells.height = (picture->height + cells.size - 1) / cells.size;
    cells.mass = mass;
    cells.parent = parent;
    cells.total = total;
    sum_mass(picture, &cells);
    join_cells(&cells);
    if (!box_cells(&cells, &box)) {
        return RENDER_NO_FOREGROUND;
    }
    tighten(picture, cells.size, &box);
    *ret_box = box;
    return 0;
}
