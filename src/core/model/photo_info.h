/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a photo's metadata says of how it was taken, as far as it makes sense. A plain struct that
 * may be copied. */

#include "base/json.h"

#define PHOTO_TEXT_MAX       127 /* bytes of UTF-8 */
#define PHOTO_TAKEN_MAX      23
#define PHOTO_CONTENT_ID_MAX 36

/* Absent are: "", 0, and what its has_ says. Texts are UTF-8 without control characters. */
typedef struct PhotoInfo {
    char taken[PHOTO_TAKEN_MAX + 1]; /* local time where it was taken: "2026-05-17T14:03:09" or
                                        with milliseconds "2026-05-17T14:03:09.120" */
    bool has_taken_offset;           /* false: nobody knows in which zone that was */
    int32_t taken_offset_min;        /* minutes east of UTC, -720...840 */
    char make[PHOTO_TEXT_MAX + 1];
    char model[PHOTO_TEXT_MAX + 1];
    char lens[PHOTO_TEXT_MAX + 1];
    double exposure_s;
    double f_number;
    double focal_length_mm;
    uint32_t iso;
    uint32_t
        orientation; /* how the file's pixels must be turned, 1...8 as in EXIF; 1: not at all */
    bool has_place;
    double latitude, longitude; /* degrees, WGS 84; north and east are positive */
    bool has_altitude;          /* only with has_place */
    double altitude_m;          /* above sea level */
    /* Apple's: a Live Photo's picture and video, and a photo and its raw file, have the same one.
     */
    char content_id[PHOTO_CONTENT_ID_MAX + 1];
} PhotoInfo;
#define PHOTO_INFO_INIT ((PhotoInfo){.orientation = 1})

extern const JsonField photo_info_fields[];

/*
 * Copies a text of the file into a member of `size` bytes, without control characters, marks that
 * turn the direction of writing, and blanks at its ends. False, and "", when nothing is left, when
 * it does not fit, or is not UTF-8.
 */
bool photo_text_set(char *to, size_t size, Str text);

/* Whether the text is a day and time that there can be a photo of: 1826 (Niepce's first that has
 * survived) ... 2199, months and days of the Gregorian calendar. */
bool photo_taken_valid(const char *taken);

/* "+01:00", "+0100", "-03:30" or "Z" in minutes east of UTC; false when it is none of that form or
 * no zone is that far off. */
bool photo_offset_read(Str text, int32_t *ret_min);

/* Sets a content identifier, which is a UUID; false, and as it was, when the text is none. */
bool photo_content_id_set(char to[PHOTO_CONTENT_ID_MAX + 1], Str text);

/* Whether all members are as described above; what a less trusted process says is checked by it. */
bool photo_info_valid(const PhotoInfo *info);
