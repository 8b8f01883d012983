/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/model_input.h"

#include "base/error.h"
#include "imaging/decode.h"
#include "imaging/parallel.h"
#include "imaging/vec.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>

/* Beyond this libvips, which averages blocks first, is faster than our many taps. */
#define SHRINK_MAX 2
#define LOBES      3
#define TAPS_MAX   (2 * LOBES * SHRINK_MAX + 2)

typedef struct Taps {
    uint32_t first, count;
    float weights[TAPS_MAX];
} Taps;

typedef struct Job {
    const Picture *picture;
    const Rect *region;
    uint32_t width, height;
    const Taps *across, *down;
    uint8_t *rgb;
    atomic_bool failed;
} Job;

static double lanczos(double x) {
    double at = M_PI * x;

    if (fabs(x) < 1e-9) {
        return 1;
    }
    return fabs(x) >= LOBES ? 0 : LOBES * sin(at) * sin(at / LOBES) / (at * at);
}

static Taps *make_taps(uint32_t from, uint32_t to) {
    double ratio = (double)from / to, stretch = MAX(ratio, 1.0), reach = LOBES * stretch;
    Taps *taps = calloc(to, sizeof(Taps));

    for (uint32_t i = 0; taps && i < to; i++) {
        double centre = (i + 0.5) * ratio, sum = 0;
        uint32_t first = (uint32_t)MAX(ceil(centre - reach - 0.5), 0.0);
        uint32_t last = (uint32_t)MIN(floor(centre + reach - 0.5), from - 1.0);
        taps[i].first = first;
        taps[i].count = MIN(last - first + 1, (uint32_t)TAPS_MAX);
        for (uint32_t t = 0; t < taps[i].count; t++) {
            sum += lanczos((first + t + 0.5 - centre) / stretch);
        }
        for (uint32_t t = 0; t < taps[i].count; t++) {
            taps[i].weights[t] = (float)(lanczos((first + t + 0.5 - centre) / stretch) / sum);
        }
    }
    return taps;
}

static void load_row(const Job *job, uint32_t y, Vec4 *line) {
    size_t at = (size_t)(job->region->top + y) * job->picture->width + job->region->left;
    const uint8_t *alpha = job->picture->alpha;

    for (uint32_t x = 0; x < job->region->width; x++, at++) {
        line[x] = vec4_from_rgb(job->picture->rgb + 3 * at);
        if (alpha && alpha[at] != 255) {
            float cover = (float)alpha[at] / 255;
            line[x] = line[x] * vec4_splat(cover) + vec4_splat(255 * (1 - cover));
        }
    }
}

static Vec4 weigh(const Taps *taps, const Vec4 *from) {
    Vec4 sum = vec4_splat(0);

    for (uint32_t t = 0; t < taps->count; t++) {
        sum += from[taps->first + t] * vec4_splat(taps->weights[t]);
    }
    return sum;
}

/* One row of the result from the stretched rows, which lie in a ring of TAPS_MAX. */
static void write_row(const Job *job, uint32_t y, const Vec4 *ring) {
    const Taps *taps = &job->down[y];
    uint8_t *to = job->rgb + (size_t)y * job->width * 3;

    for (uint32_t x = 0; x < job->width; x++, to += 3) {
        Vec4 sum = vec4_splat(0.5f);
        for (uint32_t t = 0; t < taps->count; t++) {
            size_t row = (taps->first + t) % TAPS_MAX;
            sum += ring[row * job->width + x] * vec4_splat(taps->weights[t]);
        }
        for (int c = 0; c < 3; c++) {
            to[c] = (uint8_t)CLAMP(sum[c], 0.0f, 255.0f);
        }
    }
}

static void stretch_part(void *userdata, uint32_t from, uint32_t to) {
    Job *job = userdata;
    _cleanup_(freep) Vec4 *line = malloc(job->region->width * sizeof(Vec4));
    _cleanup_(freep) Vec4 *ring = malloc((size_t)TAPS_MAX * job->width * sizeof(Vec4));
    uint32_t next = job->down[from].first;

    if (!line || !ring) {
        atomic_store(&job->failed, true);
        return;
    }
    for (uint32_t y = from; y < to; y++) {
        for (; next < job->down[y].first + job->down[y].count; next++) {
            Vec4 *row = ring + (size_t)(next % TAPS_MAX) * job->width;
            load_row(job, next, line);
            for (uint32_t x = 0; x < job->width; x++) {
                row[x] = weigh(&job->across[x], line);
            }
        }
        write_row(job, y, ring);
    }
}

static int shrink_with_vips(const Picture *picture, const Rect *region, uint32_t width,
                            uint32_t height, uint8_t *ret_rgb) {
    _cleanup_(image_unrefp) VipsImage *image = picture_wrap(picture);
    _cleanup_(image_unrefp) VipsImage *target = NULL;
    _cleanup_(image_unrefp) VipsImage *part = NULL;
    _cleanup_(image_unrefp) VipsImage *opaque = NULL;
    _cleanup_(image_unrefp) VipsImage *scaled = NULL;
    VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
    int r = -EIO;

    target = vips_image_new_from_memory(ret_rgb, (size_t)width * height * 3, (int)width,
                                        (int)height, 3, VIPS_FORMAT_UCHAR);
    if (image && target &&
        vips_extract_area(image, &part, (int)region->left, (int)region->top, (int)region->width,
                          (int)region->height, NULL) == 0 &&
        (picture->alpha ? vips_flatten(part, &opaque, "background", white, NULL)
                        : vips_copy(part, &opaque, NULL)) == 0 &&
        vips_resize(opaque, &scaled, (double)width / region->width, "vscale",
                    (double)height / region->height, NULL) == 0 &&
        scaled->Xsize == (int)width && scaled->Ysize == (int)height &&
        vips_image_write(scaled, target) == 0) {
        r = 0;
    }
    vips_area_unref(VIPS_AREA(white));
    vips_error_clear();
    return err_trace(r);
}

int model_input_fill(const Picture *picture, const Rect *region, uint32_t width, uint32_t height,
                     uint8_t *ret_rgb) {
    _cleanup_(freep) Taps *across = NULL;
    _cleanup_(freep) Taps *down = NULL;
    Job job = {.picture = picture, .region = region, .width = width, .height = height};

    if (region->width > SHRINK_MAX * width || region->height > SHRINK_MAX * height) {
        return shrink_with_vips(picture, region, width, height, ret_rgb);
    }
    across = make_taps(region->width, width);
    down = make_taps(region->height, height);
    if (!across || !down) {
        return err_trace(-ENOMEM);
    }
    job.across = across;
    job.down = down;
    job.rgb = ret_rgb;
    parallel_for(height, 64, stretch_part, &job);
    return atomic_load(&job.failed) ? err_trace(-ENOMEM) : 0;
}
