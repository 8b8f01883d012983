/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/film_info.h"

const JsonField film_info_fields[] = {
    {"width", JSON_FIELD_U32, offsetof(FilmInfo, width), true, .max = FILM_SIDE_MAX},
    {"height", JSON_FIELD_U32, offsetof(FilmInfo, height), true, .max = FILM_SIDE_MAX},
    {"duration_ms", JSON_FIELD_U64, offsetof(FilmInfo, duration_ms), true,
     .max = FILM_DURATION_MAX},
    {0},
};
