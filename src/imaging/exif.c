/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/exif.h"

#include <libexif/exif-data.h>
#include <math.h>

#define BLOCK_MAX      65533U /* of an APP1 segment of JPEG, which is what libexif reads at most */
#define CONTENT_ID_TAG 0x0011

static const char prefix[] = {'E', 'x', 'i', 'f', 0, 0};

static void exif_data_unrefp(ExifData **data) {
    if (*data) {
        exif_data_unref(*data);
    }
}

static const ExifEntry *find(ExifData *data, ExifIfd ifd, int tag) {
    const ExifEntry *entry = exif_content_get_entry(data->ifd[ifd], (ExifTag)tag);

    return entry && entry->data ? entry : NULL;
}

/* The bytes of a text up to the first NUL; none when it is not one. */
static Str entry_text(const ExifEntry *entry) {
    Str text = {0};

    if (entry && entry->format == EXIF_FORMAT_ASCII) {
        text = (Str){(const char *)entry->data, entry->size};
        text.len = strnlen(text.ptr, text.len);
    }
    return text;
}

static void read_text(ExifData *data, ExifIfd ifd, int tag, char *to, size_t size) {
    char text[PHOTO_TEXT_MAX + 1];

    if (photo_text_set(text, sizeof(text), entry_text(find(data, ifd, tag))) &&
        strlen(text) < size) {
        memcpy(to, text, strlen(text) + 1);
    }
}

/* The number at `index` of an entry of fractions; false when there is none or it is not finite. */
static bool entry_fraction(ExifData *data, const ExifEntry *entry, unsigned index,
                           double *ret_value) {
    ExifByteOrder order = exif_data_get_byte_order(data);
    size_t at = (size_t)8 * index;

    if (!entry || index >= entry->components || entry->size < at + 8) {
        return false;
    }
    if (entry->format == EXIF_FORMAT_RATIONAL) {
        ExifRational fraction = exif_get_rational(entry->data + at, order);
        *ret_value = (double)fraction.numerator / fraction.denominator;
        return fraction.denominator != 0;
    }
    if (entry->format == EXIF_FORMAT_SRATIONAL) {
        ExifSRational fraction = exif_get_srational(entry->data + at, order);
        *ret_value = (double)fraction.numerator / fraction.denominator;
        return fraction.denominator != 0;
    }
    return false;
}

/* A fraction above 0. */
static void read_positive(ExifData *data, int tag, double max, double *value) {
    double found;

    if (entry_fraction(data, find(data, EXIF_IFD_EXIF, tag), 0, &found) && found > 0 &&
        found <= max) {
        *value = found;
    }
}

static void read_iso(ExifData *data, PhotoInfo *info) {
    const ExifEntry *entry = find(data, EXIF_IFD_EXIF, EXIF_TAG_ISO_SPEED_RATINGS);
    ExifByteOrder order = exif_data_get_byte_order(data);
    uint32_t iso = 0;

    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) {
        iso = exif_get_short(entry->data, order);
    } else if (entry && entry->format == EXIF_FORMAT_LONG && entry->size >= 4) {
        iso = exif_get_long(entry->data, order);
    }
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
static bool read_time(ExifData *data, int time_tag, int fraction_tag, int offset_tag,
                      PhotoInfo *info) {
    Str text = str_trim(entry_text(find(data, EXIF_IFD_EXIF, time_tag)));
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
    if (read_fraction(entry_text(find(data, EXIF_IFD_EXIF, fraction_tag)), taken + 20)) {
        taken[19] = '.';
    } else {
        taken[19] = '\0';
    }
    memcpy(info->taken, taken, sizeof(taken));
    info->has_taken_offset = photo_offset_read(entry_text(find(data, EXIF_IFD_EXIF, offset_tag)),
                                               &info->taken_offset_min);
    if (!info->has_taken_offset) {
        info->taken_offset_min = 0;
    }
    return true;
}

static bool read_degrees(ExifData *data, int tag, int ref_tag, const char *refs, double max,
                         double *ret_degrees) {
    const ExifEntry *entry = find(data, EXIF_IFD_GPS, tag);
    Str ref = str_trim(entry_text(find(data, EXIF_IFD_GPS, ref_tag)));
    double degrees, minutes = 0, seconds = 0;

    if (ref.len != 1 || (ref.ptr[0] != refs[0] && ref.ptr[0] != refs[1]) ||
        !entry_fraction(data, entry, 0, &degrees)) {
        return false;
    }
    /* Minutes and seconds may be left out, or be 0/0 when minutes have a fraction. */
    if (!entry_fraction(data, entry, 1, &minutes)) {
        minutes = 0;
    }
    if (!entry_fraction(data, entry, 2, &seconds)) {
        seconds = 0;
    }
    if (degrees < 0 || minutes < 0 || minutes >= 60 || seconds < 0 || seconds >= 60) {
        return false;
    }
    degrees += minutes / 60 + seconds / 3600;
    *ret_degrees = ref.ptr[0] == refs[1] ? -degrees : degrees;
    return degrees <= max;
}

static void read_place(ExifData *data, PhotoInfo *info) {
    const ExifEntry *below = find(data, EXIF_IFD_GPS, EXIF_TAG_GPS_ALTITUDE_REF);
    double latitude, longitude, altitude;

    if (!read_degrees(data, EXIF_TAG_GPS_LATITUDE, EXIF_TAG_GPS_LATITUDE_REF, "NS", 90,
                      &latitude) ||
        !read_degrees(data, EXIF_TAG_GPS_LONGITUDE, EXIF_TAG_GPS_LONGITUDE_REF, "EW", 180,
                      &longitude) ||
        (latitude == 0 && longitude == 0)) {
        return;
    }
    info->has_place = true;
    info->latitude = latitude;
    info->longitude = longitude;
    if (!entry_fraction(data, find(data, EXIF_IFD_GPS, EXIF_TAG_GPS_ALTITUDE), 0, &altitude)) {
        return;
    }
    if (below && below->size >= 1 && below->data[0] == 1) {
        altitude = -altitude;
    }
    if (altitude >= -12000 && altitude <= 100000) {
        info->has_altitude = true;
        info->altitude_m = altitude;
    }
}

/*
 * The notes of Apple's cameras: 14 bytes of head, of which the last two say the order of bytes, and
 * a directory whose offsets count from the head (as ExifTool has found out). libexif knows the tag,
 * but gives no text of it.
 */
static Str find_apple_text(Str notes, unsigned tag) {
    const unsigned char *b = (const unsigned char *)notes.ptr;
    ExifByteOrder order;
    unsigned n;

    if (notes.len < 16 || memcmp(b, "Apple iOS", 10) != 0) {
        return (Str){0};
    }
    order = b[12] == 'M' ? EXIF_BYTE_ORDER_MOTOROLA : EXIF_BYTE_ORDER_INTEL;
    n = exif_get_short(b + 14, order);
    for (size_t at = 16; n > 0 && at + 12 <= notes.len; n--, at += 12) {
        uint32_t len = exif_get_long(b + at + 4, order), from = exif_get_long(b + at + 8, order);
        if (exif_get_short(b + at, order) == tag &&
            exif_get_short(b + at + 2, order) == EXIF_FORMAT_ASCII && from <= notes.len &&
            len <= notes.len - from) {
            return (Str){notes.ptr + from, strnlen(notes.ptr + from, len)};
        }
    }
    return (Str){0};
}

static void read_content_id(ExifData *data, PhotoInfo *info) {
    const ExifEntry *notes = find(data, EXIF_IFD_EXIF, EXIF_TAG_MAKER_NOTE);

    if (notes) {
        (void)photo_content_id_set(
            info->content_id,
            find_apple_text((Str){(const char *)notes->data, notes->size}, CONTENT_ID_TAG));
    }
}

/* libexif wants the prefix that JPEG has. */
static ExifData *load(Str block) {
    ExifData *data = exif_data_new();
    Buf copy = BUF_INIT;

    if (!data) {
        return NULL;
    }
    /* It would make up what the standard demands and the file lacks, today's date for one. */
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    if (!str_starts_with(block, (Str){prefix, sizeof(prefix)})) {
        buf_add(&copy, prefix, sizeof(prefix));
        buf_add(&copy, block.ptr, MIN(block.len, BLOCK_MAX - sizeof(prefix)));
        block = buf_str(&copy);
    }
    exif_data_load_data(data, (const unsigned char *)block.ptr,
                        (unsigned)MIN(block.len, (size_t)BLOCK_MAX));
    buf_done(&copy);
    return data;
}

void exif_read(Str block, PhotoInfo *info) {
    _cleanup_(exif_data_unrefp) ExifData *data = block.len > 0 ? load(block) : NULL;

    if (!data) {
        return;
    }
    if (!read_time(data, EXIF_TAG_DATE_TIME_ORIGINAL, EXIF_TAG_SUB_SEC_TIME_ORIGINAL,
                   EXIF_TAG_OFFSET_TIME_ORIGINAL, info)) {
        read_time(data, EXIF_TAG_DATE_TIME_DIGITIZED, EXIF_TAG_SUB_SEC_TIME_DIGITIZED,
                  EXIF_TAG_OFFSET_TIME_DIGITIZED, info);
    }
    read_text(data, EXIF_IFD_0, EXIF_TAG_MAKE, info->make, sizeof(info->make));
    read_text(data, EXIF_IFD_0, EXIF_TAG_MODEL, info->model, sizeof(info->model));
    read_text(data, EXIF_IFD_EXIF, EXIF_TAG_LENS_MODEL, info->lens, sizeof(info->lens));
    read_positive(data, EXIF_TAG_EXPOSURE_TIME, 1e6, &info->exposure_s);
    read_positive(data, EXIF_TAG_FNUMBER, 1e4, &info->f_number);
    read_positive(data, EXIF_TAG_FOCAL_LENGTH, 1e6, &info->focal_length_mm);
    read_iso(data, info);
    read_place(data, info);
    read_content_id(data, info);
}
