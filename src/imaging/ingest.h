/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a library needs of a photo, in one decode: what its metadata says, a hash to find
 * near-duplicates by, and two renditions. As render_recipe() this runs inside the sandbox.
 */

#include "imaging/encode.h"
#include "imaging/render.h"

typedef struct IngestInput {
    Str bytes;
    const ImagingLimits *limits;
    RenderIngest sides; /* and how it is turned */
} IngestInput;

typedef struct IngestFile {
    Encoded encoded;
    OutputFormat format; /* JPEG; WebP when any pixel is not opaque */
    uint32_t width, height;
} IngestFile;

typedef struct IngestOutput {
    ImageInfo info;
    PhotoInfo photo;
    uint64_t hash;                   /* core/model/photo_hash.h */
    IngestFile mezzanine, thumbnail; /* upright, sRGB, without any metadata */
    RenderTimings timings;
} IngestOutput;

/* 0; a positive RenderStatus with *reterr_detail (a literal); or a fault. */
int ingest_photo(const IngestInput *input, IngestOutput *ret_output, const char **reterr_detail);
void ingest_output_done(IngestOutput *output);
