/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where raw files keep what is wanted of them: how they were taken, and the JPEGs that the camera
 * made. Untrusted to the last bit: all that is found lies within the file. Pure; nothing is decoded
 * or allocated, and the time is bounded whatever the file says.
 *
 * Those that are laid out as a TIFF (CR2, NEF, ARW, DNG, ORF, RW2, PEF) by their directories; CR3
 * by its boxes (as Laurent Clevy has found out: github.com/lclevy/canon_cr3); RAF by its header, of
 * which ExifTool's FujiFilm tags tell.
 */

#include "core/model/photo_type.h"
#include "imaging/exif.h"

#define RAW_PREVIEWS_MAX 16

typedef struct RawScan {
    Str previews[RAW_PREVIEWS_MAX]; /* of the file, in no order; they begin as a JPEG does */
    size_t n_previews;
    uint32_t width, height; /* as the samples are stored, the largest that is named; 0: it is not */
    uint32_t orientation;   /* as in EXIF; 0: the raw file itself does not say */
    ExifParts exif;         /* in the file; of a RAF there are none but those of its JPEG */
} RawScan;

/* `type` is one of PHOTO_KIND_RAW, as photo_type_sniff() says of the file. */
void raw_scan(Str file, PhotoType type, RawScan *ret_scan);
