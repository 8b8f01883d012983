/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where the metadata of a file lies: EXIF, XMP, IPTC, comments, makers' notes, further pictures and
 * whatever is appended. Colour profiles stay, and so does how the pixels are to be turned. */

#include "core/model/blanks.h"
#include "core/model/image_info.h"

/*
 * Of JPEG (ITU-T T.81, annex B), PNG (RFC 2083 and PNG 3, section 5) and WebP (RFC 9649). Untrusted
 * to the last bit. `orientation`: as its decoder knows it. "" when the format is another, is not
 * understood, or the orientation would be lost: then the file is not to be given without it.
 */
void metadata_blanks_find(Str file, ImageFormat format, uint32_t orientation,
                          char ret_text[BLANKS_TEXT_MAX + 1]);
