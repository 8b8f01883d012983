/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a film's header says of its pictures and its length. A plain struct that may be copied. */

#include "base/json.h"

#define FILM_SIDE_MAX     65535U
#define FILM_DURATION_MAX 1000000000000ULL /* milliseconds: 31 years */

typedef struct FilmInfo {
    uint32_t width, height; /* pixels, as it is shown; 0: it has no pictures */
    uint64_t duration_ms;   /* 0: it does not say */
} FilmInfo;

extern const JsonField film_info_fields[];
