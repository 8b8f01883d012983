/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* EXIF (CIPA DC-008, version 2.32) as libexif reads it. Untrusted to the last bit: what makes no
 * sense is absent. */

#include "base/str.h"
#include "core/model/photo_info.h"

/*
 * Fills what the block says of how the photo was taken; all but `orientation`, which its decoder
 * knows. `block` begins with a TIFF header or with "Exif\0\0" before it; of one longer than 64 KiB
 * the beginning is read. Members of which it says nothing of use are left as they are. The result
 * is photo_info_valid() if it was before.
 *
 * The time is that of taking, else of digitising. The place counts only if latitude and longitude
 * are both there and not both 0, which is what cameras write that do not know. The content
 * identifier is the one in the notes of Apple's cameras (tag 0x0011).
 */
void exif_read(Str block, PhotoInfo *info);
