/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/renderer.h"

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
#define SLOW_ENCODER_PER_PIXEL 16ULL

uint64_t render_memory(const Recipe *recipe, const ImageInfo *info) {
    bool slow = recipe->format == OUTPUT_FORMAT_WEBP || recipe->format == OUTPUT_FORMAT_AVIF;

    return info->memory +
           (slow ? (uint64_t)info->width * info->height * SLOW_ENCODER_PER_PIXEL : 0);
}
