/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/raw_scan.h"

#include "core/model/film_box.h"
#include "core/model/raw_info.h"

#define DIRECTORIES_MAX 32
#define UUID_LEN        16

/* Tags of TIFF 6.0, of EXIF, and of what cameras add. */
enum {
    PANASONIC_TOP = 0x0004, /* of what is shown, in samples of the sensor */
    PANASONIC_LEFT,
    PANASONIC_BOTTOM,
    PANASONIC_RIGHT,
    PANASONIC_JPEG = 0x002e,
    IMAGE_WIDTH = 0x0100,
    IMAGE_HEIGHT = 0x0101,
    PHOTOMETRIC = 0x0106,
    STRIP_OFFSETS = 0x0111,
    ORIENTATION = 0x0112,
    STRIP_LENGTHS = 0x0117,
    SUB_DIRECTORIES = 0x014a,
    JPEG_OFFSET = 0x0201,
    JPEG_LENGTH = 0x0202,
    MAKER_NOTE = 0x927c,
    OLYMPUS_SETTINGS = 0x2020,
    OLYMPUS_PREVIEW_OFFSET = 0x0101,
    OLYMPUS_PREVIEW_LENGTH = 0x0102,
};
/* Of PHOTOMETRIC: samples behind a filter of colours, and such that were told apart. */
enum {
    FILTERED = 32803,
    LINEAR = 34892,
};

static void note_preview(RawScan *scan, Str in, uint64_t offset, uint64_t len) {
    if (scan->n_previews < RAW_PREVIEWS_MAX && offset <= in.len && len <= in.len - offset &&
        len > 3 && memcmp(in.ptr + offset, "\xff\xd8\xff", 3) == 0) {
        scan->previews[scan->n_previews++] = (Str){in.ptr + offset, (size_t)len};
    }
}

static void note_size(RawScan *scan, uint32_t width, uint32_t height) {
    if (width <= RAW_SIDE_MAX && height <= RAW_SIDE_MAX &&
        (uint64_t)width * height > (uint64_t)scan->width * scan->height) {
        scan->width = width;
        scan->height = height;
    }
}

/* The only number of an entry; 0 when it has others. */
static uint32_t only_number(const TiffDirectory *in, unsigned tag) {
    TiffEntry entry;

    return tiff_find(in, tag, &entry) && entry.count == 1 ? tiff_find_number(in, tag) : 0;
}

static void read_directory(RawScan *scan, const TiffDirectory *in) {
    uint32_t photometric = tiff_find_number(in, PHOTOMETRIC);
    TiffEntry entry;

    note_size(scan, tiff_find_number(in, IMAGE_WIDTH), tiff_find_number(in, IMAGE_HEIGHT));
    note_preview(scan, in->bytes, tiff_find_number(in, JPEG_OFFSET),
                 tiff_find_number(in, JPEG_LENGTH));
    if (photometric != FILTERED && photometric != LINEAR) {
        note_preview(scan, in->bytes, only_number(in, STRIP_OFFSETS),
                     only_number(in, STRIP_LENGTHS));
    }
    if (tiff_find(in, PANASONIC_JPEG, &entry)) {
        note_preview(scan, entry.value, 0, entry.value.len);
    }
}

static void read_main(RawScan *scan, const TiffDirectory *main) {
    uint32_t orientation = tiff_find_number(main, ORIENTATION);

    scan->orientation = orientation <= 8 ? orientation : 0;
    scan->exif = exif_parts(main);
}

static void scan_tiff(RawScan *scan, Str file) {
    TiffDirectory main, sub;
    TiffEntry subs;
    unsigned n = 0;
    uint32_t at;

    if (!tiff_open(file, &main)) {
        return;
    }
    read_main(scan, &main);
    for (TiffDirectory in = main; in.at != 0 && n < DIRECTORIES_MAX; in = tiff_following(&in)) {
        n++;
        read_directory(scan, &in);
        if (!tiff_find(&in, SUB_DIRECTORIES, &subs)) {
            continue;
        }
        for (uint32_t i = 0; n < DIRECTORIES_MAX && tiff_number(&subs, i, &at); i++, n++) {
            sub = tiff_directory(&in, at);
            read_directory(scan, &sub);
        }
    }
}

static void scan_panasonic(RawScan *scan) {
    const TiffDirectory *main = &scan->exif.main;
    uint32_t left = tiff_find_number(main, PANASONIC_LEFT);
    uint32_t top = tiff_find_number(main, PANASONIC_TOP);
    uint32_t right = tiff_find_number(main, PANASONIC_RIGHT);
    uint32_t bottom = tiff_find_number(main, PANASONIC_BOTTOM);

    if (right > left && bottom > top) {
        note_size(scan, right - left, bottom - top);
    }
}

/*
 * Olympus' preview is named in the notes of the camera: a head, of which the last bytes are like
 * those of a TIFF, and a directory whose offsets count from the head (as ExifTool has found out).
 */
static void scan_olympus(RawScan *scan, Str file) {
    static const struct {
        Str head;
        uint32_t directory;
    } makes[] = {{{"OLYMPUS\0", 8}, 12}, {{"OM SYSTEM\0\0\0", 12}, 16}};
    TiffEntry notes, settings;
    TiffDirectory in, sub;
    uint32_t at;

    if (!tiff_find(&scan->exif.details, MAKER_NOTE, &notes)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(makes); i++) {
        if (notes.value.len >= makes[i].directory && str_starts_with(notes.value, makes[i].head)) {
            in.bytes = (Str){notes.value.ptr, (size_t)(file.ptr + file.len - notes.value.ptr)};
            in.big = notes.value.ptr[makes[i].head.len] == 'M';
            in.at = makes[i].directory;
            if (!tiff_find(&in, OLYMPUS_SETTINGS, &settings)) {
                continue;
            }
            if (!tiff_number(&settings, 0, &at)) { /* it holds the directory, or names it */
                at = (uint32_t)(settings.value.ptr - in.bytes.ptr);
            }
            sub = tiff_directory(&in, at);
            note_preview(scan, in.bytes, tiff_find_number(&sub, OLYMPUS_PREVIEW_OFFSET),
                         tiff_find_number(&sub, OLYMPUS_PREVIEW_LENGTH));
        }
    }
}

/* The only sample of a track, which may be a JPEG (ISO/IEC 14496-12, 8.7). */
static void read_track(RawScan *scan, Str file, Str trak) {
    Str mdia, minf, stbl, stsz, co64;
    uint64_t len;

    if (!film_box_find(trak, "mdia", &mdia) || !film_box_find(mdia, "minf", &minf) ||
        !film_box_find(minf, "stbl", &stbl) || !film_box_find(stbl, "stsz", &stsz) ||
        !film_box_find(stbl, "co64", &co64) || stsz.len < 12 || co64.len < 16) {
        return;
    }
    len = film_box_number(stsz, 4, 4);
    if (len == 0 && stsz.len >= 16) {
        len = film_box_number(stsz, 12, 4);
    }
    note_preview(scan, file, film_box_number(co64, 8, 8), len);
}

/* A JPEG behind its own length: that is at `at` of the box, and 4 bytes of something may follow. */
static void read_jpeg_box(RawScan *scan, Str body, size_t at, size_t jpeg) {
    if (body.len >= jpeg) {
        note_preview(scan, body, jpeg, film_box_number(body, at, 4));
    }
}

static void open_first(Str boxes, const char *type, TiffDirectory *directory) {
    Str body;

    if (film_box_find(boxes, type, &body)) {
        (void)tiff_open(body, directory);
    }
}

/* What Canon adds to "moov": blocks of EXIF, one a directory, and a thumbnail. */
static void read_canon(RawScan *scan, Str boxes) {
    TiffDirectory main = {0};
    Str body;

    open_first(boxes, "CMT1", &main);
    read_main(scan, &main);
    note_size(scan, tiff_find_number(&main, IMAGE_WIDTH), tiff_find_number(&main, IMAGE_HEIGHT));
    open_first(boxes, "CMT2", &scan->exif.details);
    open_first(boxes, "CMT4", &scan->exif.place);
    if (film_box_find(boxes, "THMB", &body)) {
        read_jpeg_box(scan, body, 8, 16);
    }
}

static bool is_own(const FilmBox *box, Str body, const char uuid[UUID_LEN]) {
    return memcmp(box->type, "uuid", 4) == 0 && body.len >= UUID_LEN &&
           memcmp(body.ptr, uuid, UUID_LEN) == 0;
}

static Str after(Str bytes, size_t n) {
    return n > bytes.len ? (Str){0} : (Str){bytes.ptr + n, bytes.len - n};
}

static void scan_cr3(RawScan *scan, Str file) {
    static const char canon[] = "\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
    static const char preview[] =
        "\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";
    Str rest = file, body, moov, prvw;
    FilmBox box;

    if (film_box_find(file, "moov", &moov)) {
        while (film_box_next(&moov, &box, &body)) {
            if (is_own(&box, body, canon)) {
                read_canon(scan, after(body, UUID_LEN));
            } else if (memcmp(box.type, "trak", 4) == 0) {
                read_track(scan, file, body);
            }
        }
    }
    while (film_box_next(&rest, &box, &body)) {
        if (is_own(&box, body, preview) &&
            film_box_find(after(body, UUID_LEN + 8), "PRVW", &prvw)) {
            read_jpeg_box(scan, prvw, 12, 16);
        }
    }
}

/*
 * From byte 84: where the JPEG lies and its length, the same of a list of records (a tag, a length,
 * a value), all with the highest byte first. Record 0x111 is the height and width of what is shown.
 */
static void scan_raf(RawScan *scan, Str file) {
    uint64_t at, len, n;
    Str records;

    if (file.len < 100) {
        return;
    }
    note_preview(scan, file, film_box_number(file, 84, 4), film_box_number(file, 88, 4));
    at = film_box_number(file, 92, 4);
    len = film_box_number(file, 96, 4);
    if (at > file.len || len > file.len - at || len < 4) {
        return;
    }
    records = (Str){file.ptr + at, (size_t)len};
    n = MIN(film_box_number(records, 0, 4), (uint64_t)TIFF_ENTRIES_MAX);
    for (at = 4; n > 0 && at + 4 <= records.len; n--, at += 4 + len) {
        len = film_box_number(records, (size_t)at + 2, 2);
        if (len > records.len - at - 4) {
            return;
        }
        if (film_box_number(records, (size_t)at, 2) == 0x111 && len >= 4) {
            note_size(scan, (uint32_t)film_box_number(records, (size_t)at + 6, 2),
                      (uint32_t)film_box_number(records, (size_t)at + 4, 2));
        }
    }
}

void raw_scan(Str file, PhotoType type, RawScan *ret_scan) {
    *ret_scan = (RawScan){0};
    if (type == PHOTO_TYPE_CR3) {
        scan_cr3(ret_scan, file);
    } else if (type == PHOTO_TYPE_RAF) {
        scan_raf(ret_scan, file);
    } else {
        scan_tiff(ret_scan, file);
    }
    if (type == PHOTO_TYPE_ORF) {
        scan_olympus(ret_scan, file);
    } else if (type == PHOTO_TYPE_RW2) {
        scan_panasonic(ret_scan);
    }
}
