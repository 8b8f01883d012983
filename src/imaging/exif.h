/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* EXIF (CIPA DC-008, version 2.32). Untrusted to the last bit: what makes no sense is absent.
 * Nothing is allocated. */

#include "core/model/photo_info.h"
#include "core/model/tiff.h"

/*
 * Fills what the block says of how the photo was taken; all but `orientation`, which its decoder
 * knows. `block` begins with a TIFF header or with "Exif\0\0" before it: a block of some picture's
 * file, or a whole file that is a TIFF. Members of which it says nothing of use are left as they
 * are. The result is photo_info_valid() if it was before.
 *
 * The time is that of taking, else of digitising. The place counts only if latitude and longitude
 * are both there and not both 0, which is what cameras write that do not know. The content
 * identifier is the one in the notes of Apple's cameras (tag 0x0011).
 */
void exif_read(Str block, PhotoInfo *info);

/* The directories that EXIF consists of, for files that keep them apart. */
typedef struct ExifParts {
    TiffDirectory main, details, place;
} ExifParts;

/* Those that a main directory leads to. */
ExifParts exif_parts(const TiffDirectory *main);

/* As exif_read(). */
void exif_read_parts(const ExifParts *parts, PhotoInfo *info);
