/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a raw file says of its picture, and where the JPEG lies that its camera made of it. A plain
 * struct that may be copied. */

#include "base/json.h"

#define RAW_SIDE_MAX 1000000U

typedef struct RawInfo {
    uint32_t width, height; /* pixels, as it is shown; 0: it does not say */
    /* The largest of its JPEGs, in bytes of the file; a length of 0: it has none. How that is
     * turned the raw file says (PhotoInfo). */
    uint64_t preview_offset, preview_len;
} RawInfo;

extern const JsonField raw_info_fields[];
