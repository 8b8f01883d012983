/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/photo/photo_state.h"

#include "base/error.h"

#include <stdio.h>
#include <time.h>

bool state_uuid(const json_t *state, const char *member, Uuid *ret_id) {
    const char *text = json_string_value(json_object_get(state, member));

    return text && uuid_parse(str_from(text), ret_id) == 0;
}

/* Two or four digits of "YYYY-MM-DDTHH:MM:SS". */
static int digits(Str text, size_t at, size_t n) {
    int value = 0;

    for (size_t i = at; i < at + n; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

int local_time_parse(Str text, int64_t *ret_s) {
    struct tm at = {0}, back;
    time_t s;

    if (text.len != LOCAL_TIME_SIZE - 1 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        text.ptr[10] != 'T' || text.ptr[13] != ':' || text.ptr[16] != ':') {
        return -EINVAL;
    }
    at.tm_year = digits(text, 0, 4) - 1900;
    at.tm_mon = digits(text, 5, 2) - 1;
    at.tm_mday = digits(text, 8, 2);
    at.tm_hour = digits(text, 11, 2);
    at.tm_min = digits(text, 14, 2);
    at.tm_sec = digits(text, 17, 2);
    if (at.tm_year < -100 || at.tm_year > 300 || at.tm_mon < 0 || at.tm_mday < 1 ||
        at.tm_hour < 0 || at.tm_min < 0 || at.tm_sec < 0) {
        return -EINVAL;
    }
    back = at;
    s = timegm(
        &back); /* makes of 31 April the first of May: what is no date comes back as another */
    if (back.tm_mon != at.tm_mon || back.tm_mday != at.tm_mday || back.tm_hour != at.tm_hour ||
        back.tm_min != at.tm_min || back.tm_sec != at.tm_sec) {
        return -EINVAL;
    }
    *ret_s = (int64_t)s;
    return 0;
}

void local_time_write(int64_t s, char ret_text[LOCAL_TIME_SIZE]) {
    time_t at = (time_t)s;
    struct tm tm;

    ret_text[0] = '\0';
    if (gmtime_r(&at, &tm)) {
        (void)strftime(ret_text, LOCAL_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    }
}

static int64_t added_us(const json_t *state) {
    return (int64_t)json_integer_value(json_object_get(state, "added")) * 1000;
}

static bool captured_s(const json_t *state, int64_t *ret_s) {
    const char *text = json_string_value(json_object_get(state, "captured"));

    return text && local_time_parse(str_from(text), ret_s) == 0;
}

int64_t photo_sort_us(const json_t *state) {
    int64_t s;

    if (!captured_s(state, &s)) {
        return added_us(state);
    }
    return (s - (int64_t)json_integer_value(json_object_get(state, "offset")) * 60) * 1000000;
}

int64_t photo_local_s(const json_t *state) {
    int64_t s;

    return captured_s(state, &s) ? s : added_us(state) / 1000000;
}

int64_t photo_trashed_us(const json_t *state) {
    return (int64_t)json_integer_value(json_object_get(state, "trashed")) * 1000;
}

PhotoKind photo_kind(const json_t *state) {
    const char *media_type = json_string_value(json_object_get(state, "type"));

    for (int type = 1; media_type && type < _PHOTO_TYPE_MAX; type++) {
        const PhotoTypeInfo *info = photo_type_info((PhotoType)type);
        if (strcmp(info->media_type, media_type) == 0) {
            return info->kind;
        }
    }
    return PHOTO_KIND_OTHER;
}

Str name_stem(Str name) {
    for (size_t i = name.len; i > 1; i--) {
        if (name.ptr[i - 1] == '.') {
            return (Str){name.ptr, i - 1};
        }
    }
    return name;
}

static bool is_printed(Str text, bool lines) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && !(lines && c == '\n')) || c == 0x7F ||
            (c == 0xC2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xA0)) {
            return false; /* the last is the second block of control characters, in UTF-8 */
        }
    }
    return str_is_utf8(text);
}

bool text_is_line(Str text, size_t max) {
    return text.len >= 1 && text.len <= max && is_printed(text, false);
}

bool text_is_lines(Str text, size_t max) {
    return text.len <= max && is_printed(text, true);
}
