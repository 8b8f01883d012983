/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/renderer.h"

#include <math.h>

const char *const render_status_names[] = {"ok",
                                           "unsupported",
                                           "unreadable",
                                           "too_large",
                                           "background_unreadable",
                                           "no_foreground",
                                           "roi_exceeds_bounds",
                                           "roi_empty",
                                           "unknown_model",
                                           "busy",
                                           "timeout",
                                           "crashed",
                                           "cancelled",
                                           "fault",
                                           NULL};

/* Bytes a pixel; measured, and src/imaging/memory_test.c holds real peaks against it. */
#define SLOW_ENCODER_PER_PIXEL 24ULL

/* An ingest decodes as a stream, straight to the mezzanine's size; these are bytes a pixel, too. */
#define INGEST_STREAMED  1ULL
#define INGEST_WHOLE     8ULL
#define INGEST_MEZZANINE 12ULL

/* The most that the result may have: margins go beyond the picture when the subject fills it. */
static uint64_t canvas_pixels(const Recipe *recipe, const ImageInfo *info) {
    const Margin *margin = &recipe->crop_margin;
    double width = info->width, height = info->height, pixels;

    if (recipe->square > 0) {
        return (uint64_t)recipe->square * recipe->square;
    }
    if (recipe->crop) {
        width += length_resolve(margin->left, width) + length_resolve(margin->right, width);
        height += length_resolve(margin->top, height) + length_resolve(margin->bottom, height);
    }
    pixels = ceil(width) * ceil(height);
    return recipe->pixels_max > 0 && pixels > (double)recipe->pixels_max ? recipe->pixels_max
                                                                         : (uint64_t)pixels;
}

uint64_t render_memory(const Recipe *recipe, const ImageInfo *info) {
    bool slow = recipe->format == OUTPUT_FORMAT_WEBP || recipe->format == OUTPUT_FORMAT_AVIF;
    uint64_t pixels = (uint64_t)info->width * info->height, canvas = canvas_pixels(recipe, info);

    return info->memory + (canvas > pixels ? (canvas - pixels) * RENDER_MEMORY_PER_PIXEL : 0) +
           (slow ? canvas * SLOW_ENCODER_PER_PIXEL : 0);
}

uint64_t render_ingest_memory(const RenderIngest *ingest, const ImageInfo *info) {
    uint64_t pixels = (uint64_t)info->width * info->height;
    uint64_t each = info->streamed ? INGEST_STREAMED : INGEST_WHOLE;
    double part = fmin((double)ingest->mezzanine_max / MAX(MAX(info->width, info->height), 1U), 1);
    uint64_t mezzanine = (uint64_t)ceil((double)pixels * part * part);

    /* What is not opaque becomes WebP. */
    return info->memory - MIN(pixels * (RENDER_MEMORY_PER_PIXEL - each), info->memory) +
           mezzanine * (INGEST_MEZZANINE + (info->has_alpha ? SLOW_ENCODER_PER_PIXEL : 0));
}
