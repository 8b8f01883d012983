/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/photo_info.h"

#define YEAR_MIN 1826
#define YEAR_MAX 2199

#define TEXT_FIELD(member)                                                                         \
    {                                                                                              \
#member, JSON_FIELD_CHARS, offsetof(PhotoInfo, member), true,                              \
            .max = sizeof(((PhotoInfo *)0)->member) - 1                                            \
    }

const JsonField photo_info_fields[] = {
    TEXT_FIELD(taken),
    {"has_taken_offset", JSON_FIELD_BOOL, offsetof(PhotoInfo, has_taken_offset), true},
    {"taken_offset_min", JSON_FIELD_I32, offsetof(PhotoInfo, taken_offset_min), true, .min = -720,
     .max = 840},
    TEXT_FIELD(make),
    TEXT_FIELD(model),
    TEXT_FIELD(lens),
    {"exposure_s", JSON_FIELD_DOUBLE, offsetof(PhotoInfo, exposure_s), true, .min = 0, .max = 1e6},
    {"f_number", JSON_FIELD_DOUBLE, offsetof(PhotoInfo, f_number), true, .min = 0, .max = 1e4},
    {"focal_length_mm", JSON_FIELD_DOUBLE, offsetof(PhotoInfo, focal_length_mm), true, .min = 0,
     .max = 1e6},
    {"iso", JSON_FIELD_U32, offsetof(PhotoInfo, iso), true, .min = 0, .max = 1e8},
    {"orientation", JSON_FIELD_U32, offsetof(PhotoInfo, orientation), true, .min = 1, .max = 8},
    {"has_place", JSON_FIELD_BOOL, offsetof(PhotoInfo, has_place), true},
    {"latitude", JSON_FIELD_DOUBLE, offsetof(PhotoInfo, latitude), true, .min = -90, .max = 90},
    {"longitude", JSON_FIELD_DOUBLE, offsetof(PhotoInfo, longitude), true, .min = -180, .max = 180},
    {"has_altitude", JSON_FIELD_BOOL, offsetof(PhotoInfo, has_altitude), true},
    {"altitude_m", JSON_FIELD_DOUBLE, offsetof(PhotoInfo, altitude_m), true, .min = -12000,
     .max = 100000},
    TEXT_FIELD(content_id),
    {0},
};

/* Of a valid UTF-8 sequence: C0, DEL, C1, line and paragraph separators, directions. */
static bool is_control(Str sequence) {
    const uint8_t *b = (const uint8_t *)sequence.ptr;

    switch (sequence.len) {
    case 1:
        return b[0] < 0x20 || b[0] == 0x7f;
    case 2:
        return b[0] == 0xc2 && b[1] < 0xa0;
    case 3: /* U+200E, U+200F, U+2028...U+202E, U+2066...U+2069 */
        return b[0] == 0xe2 && ((b[1] == 0x80 && (b[2] == 0x8e || b[2] == 0x8f ||
                                                  (b[2] >= 0xa8 && b[2] <= 0xae))) ||
                                (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9));
    default:
        return false;
    }
}

bool photo_text_set(char *to, size_t size, Str text) {
    size_t len = 0;

    to[0] = '\0';
    text = str_trim(text);
    while (text.len > 0) {
        size_t n = str_utf8_sequence(text);
        if (n == 0) {
            to[0] = '\0';
            return false;
        }
        if (!is_control((Str){text.ptr, n})) {
            if (n >= size - len) {
                to[0] = '\0';
                return false;
            }
            memcpy(to + len, text.ptr, n);
            len += n;
        }
        text = (Str){text.ptr + n, text.len - n};
    }
    /* What was removed may have hidden blanks at the ends. */
    text = str_trim((Str){to, len});
    memmove(to, text.ptr, text.len);
    to[text.len] = '\0';
    return text.len > 0;
}

/* The number that `n` digits are, or -1. */
static int digits(const char *at, int n) {
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        value = value * 10 + at[i] - '0';
    }
    return value;
}

static int days_of(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

bool photo_taken_valid(const char *taken) {
    size_t len = strlen(taken);
    int year, month, day, hour, minute, second;

    if ((len != 19 && len != 23) || taken[4] != '-' || taken[7] != '-' || taken[10] != 'T' ||
        taken[13] != ':' || taken[16] != ':' ||
        (len == 23 && (taken[19] != '.' || digits(taken + 20, 3) < 0))) {
        return false;
    }
    year = digits(taken, 4);
    month = digits(taken + 5, 2);
    day = digits(taken + 8, 2);
    hour = digits(taken + 11, 2);
    minute = digits(taken + 14, 2);
    second = digits(taken + 17, 2);
    return year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12 && day >= 1 &&
           day <= days_of(year, month) && hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 &&
           second >= 0 && second <= 59;
}

bool photo_offset_read(Str text, int32_t *ret_min) {
    size_t colon;
    uint64_t hours, minutes;
    int32_t offset;

    text = str_trim(text);
    if (str_equal(text, str_lit("Z"))) {
        *ret_min = 0;
        return true;
    }
    colon = text.len == 6 && text.ptr[3] == ':';
    if (text.len != 5 + colon || (text.ptr[0] != '+' && text.ptr[0] != '-') ||
        str_to_u64((Str){text.ptr + 1, 2}, &hours) < 0 ||
        str_to_u64((Str){text.ptr + 3 + colon, 2}, &minutes) < 0 || minutes > 59) {
        return false;
    }
    offset = (int32_t)(hours * 60 + minutes) * (text.ptr[0] == '-' ? -1 : 1);
    *ret_min = offset;
    return offset >= -720 && offset <= 840;
}

bool photo_content_id_set(char to[PHOTO_CONTENT_ID_MAX + 1], Str text) {
    text = str_trim(text);
    if (text.len != PHOTO_CONTENT_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < PHOTO_CONTENT_ID_MAX; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.ptr[i] != '-'
                 : !text.ptr[i] || !strchr("0123456789abcdefABCDEF", text.ptr[i])) {
            return false;
        }
    }
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static bool within(double value, double min, double max) {
    return value >= min && value <= max; /* not when it is NaN */
}

/* "" or a text that would come out of photo_text_set() as it is. */
static bool is_clean(const char *text, size_t size) {
    char clean[PHOTO_TEXT_MAX + 1];

    if (!memchr(text, '\0', size)) {
        return false;
    }
    return text[0] == '\0' ||
           (photo_text_set(clean, sizeof(clean), str_from(text)) && strcmp(clean, text) == 0);
}

bool photo_info_valid(const PhotoInfo *info) {
    return is_clean(info->taken, sizeof(info->taken)) &&
           (info->taken[0] == '\0' || photo_taken_valid(info->taken)) &&
           (!info->has_taken_offset || info->taken[0] != '\0') &&
           within(info->taken_offset_min, -720, 840) && is_clean(info->make, sizeof(info->make)) &&
           is_clean(info->model, sizeof(info->model)) && is_clean(info->lens, sizeof(info->lens)) &&
           is_clean(info->content_id, sizeof(info->content_id)) &&
           within(info->exposure_s, 0, 1e6) && within(info->f_number, 0, 1e4) &&
           within(info->focal_length_mm, 0, 1e6) && info->iso <= 100000000 &&
           info->orientation >= 1 && info->orientation <= 8 && within(info->latitude, -90, 90) &&
           within(info->longitude, -180, 180) && within(info->altitude_m, -12000, 100000) &&
           (!info->has_altitude || info->has_place);
}
