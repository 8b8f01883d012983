/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/film.h"

#include "core/model/film_box.h"

#include <time.h>

#define KEYS_MAX      256           /* of the metadata's names, and of its values */
#define UNIX_EPOCH_S  2082844800ULL /* after the films' own, the beginning of 1904 */
#define DATA_TEXT     1             /* well-known type: UTF-8 */
#define ALL_ONES_32   0xffffffffU
#define LOCAL_TIME_AT 19 /* bytes of "2026-05-17T14:03:09" */

typedef struct Box {
    char type[5];
    Str body;
} Box;

static Str skip(Str bytes, size_t n) {
    return n > bytes.len ? (Str){0} : (Str){bytes.ptr + n, bytes.len - n};
}

static bool next_box(Str *rest, Box *ret_box) {
    FilmBox box;

    if (!film_box_next(rest, &box, &ret_box->body)) {
        return false;
    }
    memcpy(ret_box->type, box.type, sizeof(box.type));
    return true;
}

static bool is(const Box *box, const char *type) {
    return memcmp(box->type, type, 4) == 0;
}

/* "2026-05-17T14:03:09+0200", with or without a colon, or "Z", or no zone. */
static bool read_time(Str text, PhotoInfo *photo) {
    char taken[PHOTO_TAKEN_MAX + 1] = {0};

    text = str_trim(text);
    if (text.len < LOCAL_TIME_AT) {
        return false;
    }
    memcpy(taken, text.ptr, LOCAL_TIME_AT);
    if (!photo_taken_valid(taken)) {
        return false;
    }
    memcpy(photo->taken, taken, sizeof(taken));
    photo->has_taken_offset =
        photo_offset_read(skip(text, LOCAL_TIME_AT), &photo->taken_offset_min);
    if (!photo->has_taken_offset) {
        photo->taken_offset_min = 0;
    }
    return true;
}

/* Seconds since 1904 in UTC; 0, and whatever lies before there were films of this kind, is what is
 * written by those who do not know. */
static void read_created(uint64_t since_1904, PhotoInfo *photo) {
    char taken[PHOTO_TAKEN_MAX + 1];
    time_t s;
    struct tm tm;

    if (photo->taken[0] || since_1904 <= (uint64_t)UNIX_EPOCH_S || since_1904 > UINT32_MAX * 2ULL) {
        return;
    }
    s = (time_t)((int64_t)since_1904 - UNIX_EPOCH_S);
    if (gmtime_r(&s, &tm) && strftime(taken, sizeof(taken), "%Y-%m-%dT%H:%M:%S", &tm) > 0 &&
        photo_taken_valid(taken)) {
        memcpy(photo->taken, taken, strlen(taken) + 1);
        photo->has_taken_offset = true;
        photo->taken_offset_min = 0;
    }
}

/* A number with a sign and `whole` digits before the point, off the front of the text. */
static bool take_degrees(Str *text, size_t whole, double *ret_value) {
    size_t n = 1;

    if (text->len < 1 + whole || (text->ptr[0] != '+' && text->ptr[0] != '-')) {
        return false;
    }
    while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9') {
        n++;
    }
    if (whole > 0 && n != 1 + whole) {
        return false;
    }
    if (n < text->len && text->ptr[n] == '.') {
        n++;
        while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9') {
            n++;
        }
    }
    if (str_to_double((Str){text->ptr, n}, ret_value) < 0) {
        return false;
    }
    *text = skip(*text, n);
    return true;
}

/* ISO 6709, annex H, in degrees, which is what phones write: "+47.3500+008.5500+432.1/". */
static void read_place(Str text, PhotoInfo *photo) {
    double latitude, longitude, altitude;

    text = str_trim(text);
    if (!take_degrees(&text, 2, &latitude) || !take_degrees(&text, 3, &longitude) ||
        latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 ||
        (latitude == 0 && longitude == 0)) {
        return;
    }
    photo->has_place = true;
    photo->latitude = latitude;
    photo->longitude = longitude;
    photo->has_altitude =
        take_degrees(&text, 0, &altitude) && altitude >= -12000 && altitude <= 100000;
    photo->altitude_m = photo->has_altitude ? altitude : 0;
}

static void take_text(Str key, Str text, PhotoInfo *photo) {
    if (str_equal(key, str_lit("com.apple.quicktime.content.identifier"))) {
        (void)photo_content_id_set(photo->content_id, text);
    } else if (str_equal(key, str_lit("com.apple.quicktime.creationdate"))) {
        (void)read_time(text, photo);
    } else if (str_equal(key, str_lit("com.apple.quicktime.location.ISO6709"))) {
        read_place(text, photo);
    } else if (str_equal(key, str_lit("com.apple.quicktime.make")) ||
               str_equal(key, str_lit("com.android.manufacturer"))) {
        (void)photo_text_set(photo->make, sizeof(photo->make), text);
    } else if (str_equal(key, str_lit("com.apple.quicktime.model")) ||
               str_equal(key, str_lit("com.android.model"))) {
        (void)photo_text_set(photo->model, sizeof(photo->model), text);
    }
}

/* The names of the metadata, in order: its values name them by their number, from 1 on. */
static size_t read_keys(Str body, Str keys[KEYS_MAX]) {
    Str rest = skip(body, 8); /* version, flags, how many */
    size_t n = 0;
    Box key; /* laid out as a box is: the type says what kind of name it is */

    while (n < KEYS_MAX && next_box(&rest, &key)) {
        keys[n++] = is(&key, "mdta") ? key.body : (Str){0};
    }
    return n;
}

/* The "meta" box of QuickTime holds boxes; that of ISO has a version and flags before them. */
static void read_meta(Str meta, PhotoInfo *photo) {
    Str keys[KEYS_MAX], list, data;
    size_t n;
    Box value;

    if (meta.len >= 8 && memcmp(meta.ptr + 4, "hdlr", 4) != 0) {
        meta = skip(meta, 4);
    }
    if (!film_box_find(meta, "keys", &data) || !film_box_find(meta, "ilst", &list)) {
        return;
    }
    n = read_keys(data, keys);
    for (size_t i = 0; i < KEYS_MAX && next_box(&list, &value); i++) {
        uint64_t key = film_box_number((Str){value.type, 4}, 0, 4);
        if (key >= 1 && key <= n && film_box_find(value.body, "data", &data) && data.len >= 8 &&
            film_box_number(data, 0, 4) == DATA_TEXT) {
            take_text(keys[key - 1], skip(data, 8), photo);
        }
    }
}

/* User data of QuickTime: texts with a length and a language before them. */
static void read_user_data(Str udta, PhotoInfo *photo) {
    Box box;

    while (next_box(&udta, &box)) {
        Str text = box.body;
        if (is(&box, "meta")) {
            read_meta(box.body, photo);
        } else if (text.len >= 4) {
            text = (Str){text.ptr + 4, MIN(text.len - 4, (size_t)film_box_number(text, 0, 2))};
        }
        if (is(&box, "\xa9xyz") && !photo->has_place) {
            read_place(text, photo);
        } else if (is(&box, "\xa9"
                            "day") &&
                   !photo->taken[0]) {
            (void)read_time(text, photo);
        } else if (is(&box, "\xa9mak") && !photo->make[0]) {
            (void)photo_text_set(photo->make, sizeof(photo->make), text);
        } else if (is(&box, "\xa9mod") && !photo->model[0]) {
            (void)photo_text_set(photo->model, sizeof(photo->model), text);
        }
    }
}

/* ISO/IEC 14496-12, 8.2.2. Version 1 has times of 64 bits. */
static bool read_head(Str mvhd, FilmInfo *film, uint64_t *ret_created) {
    size_t wide = mvhd.len > 0 && mvhd.ptr[0] == 1 ? 8 : 4;
    uint64_t scale, duration;

    if (mvhd.len < 4 + 3 * wide + 4) {
        return false;
    }
    *ret_created = film_box_number(mvhd, 4, wide);
    scale = film_box_number(mvhd, 4 + 2 * wide, 4);
    duration = film_box_number(mvhd, 8 + 2 * wide, wide);
    if (scale > 0 && duration != (wide == 8 ? UINT64_MAX : ALL_ONES_32) &&
        duration / scale <= FILM_DURATION_MAX / 1000) {
        film->duration_ms =
            MIN(duration / scale * 1000 + duration % scale * 1000 / scale, FILM_DURATION_MAX);
    }
    return true;
}

static bool has_pictures(Str trak) {
    Str mdia, hdlr;

    return film_box_find(trak, "mdia", &mdia) && film_box_find(mdia, "hdlr", &hdlr) &&
           hdlr.len >= 12 && memcmp(hdlr.ptr + 8, "vide", 4) == 0;
}

/* ISO/IEC 14496-12, 8.3.2: a matrix of 3 x 3 (a, b, u, c, d ...), then width and height in 16.16.
 */
static void read_track(Str trak, FilmInfo *film) {
    Str tkhd;
    size_t matrix;
    uint32_t width, height;
    bool upright;

    if (!film_box_find(trak, "tkhd", &tkhd) || tkhd.len < 1) {
        return;
    }
    matrix = tkhd.ptr[0] == 1 ? 52 : 40;
    if (tkhd.len < matrix + 44 || !has_pictures(trak)) {
        return;
    }
    width = (uint32_t)film_box_number(tkhd, matrix + 36, 2);
    height = (uint32_t)film_box_number(tkhd, matrix + 40, 2);
    upright = film_box_number(tkhd, matrix, 4) != 0 || film_box_number(tkhd, matrix + 16, 4) != 0;
    if ((uint64_t)width * height > (uint64_t)film->width * film->height) {
        film->width = upright ? width : height;
        film->height = upright ? height : width;
    }
}

int film_read(Str bytes, FilmInfo *ret_film, PhotoInfo *ret_photo) {
    PhotoInfo photo = PHOTO_INFO_INIT;
    FilmInfo film = {0};
    Str moov, mvhd, udta;
    uint64_t created;
    Box box;

    if (!film_box_find(bytes, "moov", &moov) || !film_box_find(moov, "mvhd", &mvhd) ||
        !read_head(mvhd, &film, &created)) {
        return FILM_E_BROKEN;
    }
    if (film_box_find(moov, "udta", &udta)) {
        read_user_data(udta, &photo);
    }
    for (Str rest = moov; next_box(&rest, &box);) {
        if (is(&box, "trak")) {
            read_track(box.body, &film);
        } else if (is(&box, "meta")) {
            read_meta(box.body, &photo);
        }
    }
    read_created(created, &photo);
    *ret_film = film;
    *ret_photo = photo;
    return 0;
}
