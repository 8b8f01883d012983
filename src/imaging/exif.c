/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/exif.h"

/* Tags (CIPA DC-008, 4.6), by directory. */
enum {
    MAKE = 0x010f,
    MODEL = 0x0110,
    DETAILS = 0x8769, /* where EXIF's own directory is */
    PLACE = 0x8825,   /* and that of GPS */
};
enum {
    EXPOSURE_TIME = 0x829a,
    F_NUMBER = 0x829d,
    ISO_SPEED = 0x8827,
    TAKEN = 0x9003,
    DIGITISED = 0x9004,
    TAKEN_OFFSET = 0x9011,
    DIGITISED_OFFSET = 0x9012,
    FOCAL_LENGTH = 0x920a,
    MAKER_NOTE = 0x927c,
    TAKEN_FRACTION = 0x9291,
    DIGITISED_FRACTION = 0x9292,
    LENS_MODEL = 0xa434,
};
enum {
    LATITUDE_REF = 1,
    LATITUDE,
    LONGITUDE_REF,
    LONGITUDE,
    ALTITUDE_REF,
    ALTITUDE,
};

#define CONTENT_ID_TAG 0x0011

static Str find_text(const TiffDirectory *in, unsigned tag) {
    TiffEntry entry;

    return tiff_find(in, tag, &entry) ? tiff_text(&entry) : (Str){0};
}

/* The fraction at `index` of the entry with this tag. */
static bool find_fraction(const TiffDirectory *in, unsigned tag, uint32_t index,
                          double *ret_value) {
    TiffEntry entry;

    return tiff_find(in, tag, &entry) && tiff_fraction(&entry, index, ret_value);
}

static void read_text(const TiffDirectory *in, unsigned tag, char *to, size_t size) {
    char text[PHOTO_TEXT_MAX + 1];

    if (photo_text_set(text, sizeof(text), find_text(in, tag)) && strlen(text) < size) {
        memcpy(to, text, strlen(text) + 1);
    }
}

/* A fraction above 0. */
static void read_positive(const TiffDirectory *in, unsigned tag, double max, double *value) {
    double found;

    if (find_fraction(in, tag, 0, &found) && found > 0 && found <= max) {
        *value = found;
    }
}

static void read_iso(const TiffDirectory *in, PhotoInfo *info) {
    uint32_t iso = tiff_find_number(in, ISO_SPEED);

    if (iso > 0 && iso <= 100000000) {
        info->iso = iso;
    }
}

/* Hundredths as "12", thousandths as "120": what follows the point; three digits of it. */
static bool read_fraction(Str text, char *to) {
    text = str_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    if (text.len == 0) {
        return false;
    }
    memset(to, '0', 3);
    memcpy(to, text.ptr, MIN(text.len, 3U));
    return true;
}

/* "2026:05:17 14:03:09"; some software writes other marks between the numbers. */
static bool read_time(const TiffDirectory *in, unsigned time_tag, unsigned fraction_tag,
                      unsigned offset_tag, PhotoInfo *info) {
    Str text = str_trim(find_text(in, time_tag));
    char taken[PHOTO_TAKEN_MAX + 1] = {0};

    if (text.len != 19 || !strchr(":-/", text.ptr[4]) || !strchr(":-/", text.ptr[7]) ||
        !strchr(" T", text.ptr[10])) {
        return false;
    }
    memcpy(taken, text.ptr, 19);
    taken[4] = taken[7] = '-';
    taken[10] = 'T';
    if (!photo_taken_valid(taken)) {
        return false;
    }
    if (read_fraction(find_text(in, fraction_tag), taken + 20)) {
        taken[19] = '.';
    } else {
        taken[19] = '\0';
    }
    memcpy(info->taken, taken, sizeof(taken));
    info->has_taken_offset = photo_offset_read(find_text(in, offset_tag), &info->taken_offset_min);
    if (!info->has_taken_offset) {
        info->taken_offset_min = 0;
    }
    return true;
}

static bool read_degrees(const TiffDirectory *in, unsigned tag, unsigned ref_tag, const char *refs,
                         double max, double *ret_degrees) {
    Str ref = str_trim(find_text(in, ref_tag));
    double degrees, minutes = 0, seconds = 0;

    if (ref.len != 1 || (ref.ptr[0] != refs[0] && ref.ptr[0] != refs[1]) ||
        !find_fraction(in, tag, 0, &degrees)) {
        return false;
    }
    /* Minutes and seconds may be left out, or be 0/0 when minutes have a fraction. */
    if (!find_fraction(in, tag, 1, &minutes)) {
        minutes = 0;
    }
    if (!find_fraction(in, tag, 2, &seconds)) {
        seconds = 0;
    }
    if (degrees < 0 || minutes < 0 || minutes >= 60 || seconds < 0 || seconds >= 60) {
        return false;
    }
    degrees += minutes / 60 + seconds / 3600;
    *ret_degrees = ref.ptr[0] == refs[1] ? -degrees : degrees;
    return degrees <= max;
}

static void read_place(const TiffDirectory *in, PhotoInfo *info) {
    double latitude, longitude, altitude;

    if (!read_degrees(in, LATITUDE, LATITUDE_REF, "NS", 90, &latitude) ||
        !read_degrees(in, LONGITUDE, LONGITUDE_REF, "EW", 180, &longitude) ||
        (latitude == 0 && longitude == 0)) {
        return;
    }
    info->has_place = true;
    info->latitude = latitude;
    info->longitude = longitude;
    if (!find_fraction(in, ALTITUDE, 0, &altitude)) {
        return;
    }
    if (tiff_find_number(in, ALTITUDE_REF) == 1) {
        altitude = -altitude;
    }
    if (altitude >= -12000 && altitude <= 100000) {
        info->has_altitude = true;
        info->altitude_m = altitude;
    }
}

/*
 * The notes of Apple's cameras: 14 bytes of head, of which the last two say the order of bytes, and
 * a directory whose offsets count from the head (as ExifTool has found out).
 */
static void read_content_id(const TiffDirectory *in, PhotoInfo *info) {
    TiffEntry notes;

    if (tiff_find(in, MAKER_NOTE, &notes) && notes.value.len >= 16 &&
        memcmp(notes.value.ptr, "Apple iOS", 10) == 0) {
        TiffDirectory own = {notes.value, notes.value.ptr[12] == 'M', 14};
        (void)photo_content_id_set(info->content_id, find_text(&own, CONTENT_ID_TAG));
    }
}

void exif_read_parts(const ExifParts *parts, PhotoInfo *info) {
    const TiffDirectory *details = &parts->details;

    if (!read_time(details, TAKEN, TAKEN_FRACTION, TAKEN_OFFSET, info)) {
        read_time(details, DIGITISED, DIGITISED_FRACTION, DIGITISED_OFFSET, info);
    }
    read_text(&parts->main, MAKE, info->make, sizeof(info->make));
    read_text(&parts->main, MODEL, info->model, sizeof(info->model));
    read_text(details, LENS_MODEL, info->lens, sizeof(info->lens));
    read_positive(details, EXPOSURE_TIME, 1e6, &info->exposure_s);
    read_positive(details, F_NUMBER, 1e4, &info->f_number);
    read_positive(details, FOCAL_LENGTH, 1e6, &info->focal_length_mm);
    read_iso(details, info);
    read_place(&parts->place, info);
    read_content_id(details, info);
}

ExifParts exif_parts(const TiffDirectory *main) {
    return (ExifParts){*main, tiff_directory(main, tiff_find_number(main, DETAILS)),
                       tiff_directory(main, tiff_find_number(main, PLACE))};
}

void exif_read(Str block, PhotoInfo *info) {
    static const char prefix[] = {'E', 'x', 'i', 'f', 0, 0};
    TiffDirectory main;

    if (str_starts_with(block, (Str){prefix, sizeof(prefix)})) {
        block = (Str){block.ptr + sizeof(prefix), block.len - sizeof(prefix)};
    }
    if (tiff_open(block, &main)) {
        ExifParts parts = exif_parts(&main);
        exif_read_parts(&parts, info);
    }
}
