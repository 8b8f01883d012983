/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/photo_type.h"

#include <assert.h>

#define BRANDS_MAX  32
#define ENTRIES_MAX 512 /* of a TIFF's directory that are looked at */

static const PhotoTypeInfo types[_PHOTO_TYPE_MAX] = {
    [PHOTO_TYPE_UNKNOWN] = {"unknown", "application/octet-stream", "bin", PHOTO_KIND_OTHER},
    [PHOTO_TYPE_JPEG] = {"jpeg", "image/jpeg", "jpg", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_PNG] = {"png", "image/png", "png", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_WEBP] = {"webp", "image/webp", "webp", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_GIF] = {"gif", "image/gif", "gif", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_TIFF] = {"tiff", "image/tiff", "tif", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_BMP] = {"bmp", "image/bmp", "bmp", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_HEIC] = {"heic", "image/heic", "heic", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_AVIF] = {"avif", "image/avif", "avif", PHOTO_KIND_PICTURE},
    [PHOTO_TYPE_CR2] = {"cr2", "image/x-canon-cr2", "cr2", PHOTO_KIND_RAW},
    [PHOTO_TYPE_CR3] = {"cr3", "image/x-canon-cr3", "cr3", PHOTO_KIND_RAW},
    [PHOTO_TYPE_NEF] = {"nef", "image/x-nikon-nef", "nef", PHOTO_KIND_RAW},
    [PHOTO_TYPE_ARW] = {"arw", "image/x-sony-arw", "arw", PHOTO_KIND_RAW},
    [PHOTO_TYPE_DNG] = {"dng", "image/x-adobe-dng", "dng", PHOTO_KIND_RAW},
    [PHOTO_TYPE_RAF] = {"raf", "image/x-fuji-raf", "raf", PHOTO_KIND_RAW},
    [PHOTO_TYPE_ORF] = {"orf", "image/x-olympus-orf", "orf", PHOTO_KIND_RAW},
    [PHOTO_TYPE_RW2] = {"rw2", "image/x-panasonic-rw2", "rw2", PHOTO_KIND_RAW},
    [PHOTO_TYPE_MP4] = {"mp4", "video/mp4", "mp4", PHOTO_KIND_VIDEO},
    [PHOTO_TYPE_MOV] = {"mov", "video/quicktime", "mov", PHOTO_KIND_VIDEO},
};

/* The first that matches counts. */
static const struct Magic {
    size_t at;
    Str bytes;
    PhotoType type;
} magics[] = {
    {0, {"\xff\xd8\xff", 3}, PHOTO_TYPE_JPEG},
    {0, {"\x89PNG\r\n\x1a\n", 8}, PHOTO_TYPE_PNG},
    {0, {"GIF87a", 6}, PHOTO_TYPE_GIF},
    {0, {"GIF89a", 6}, PHOTO_TYPE_GIF},
    {0, {"II*\0\x10\0\0\0CR\2", 11}, PHOTO_TYPE_CR2},
    {0, {"FUJIFILMCCD-RAW ", 16}, PHOTO_TYPE_RAF},
    {0, {"IIRO", 4}, PHOTO_TYPE_ORF},
    {0, {"IIRS", 4}, PHOTO_TYPE_ORF},
    {0, {"MMOR", 4}, PHOTO_TYPE_ORF},
    {0, {"IIU\0", 4}, PHOTO_TYPE_RW2},
    /* QuickTime files of before there was a file type box. */
    {4, {"moov", 4}, PHOTO_TYPE_MOV},
    {4, {"mdat", 4}, PHOTO_TYPE_MOV},
    {4, {"wide", 4}, PHOTO_TYPE_MOV},
    {0, {"BM", 2}, PHOTO_TYPE_BMP},
};

/*
 * Brands of a file type box. Those of HEIF say how its still picture is coded (ISO/IEC 23008-12,
 * AV1-AVIF); a file that has one is a picture, whatever else it claims to be.
 */
static const struct Brand {
    char name[5];
    PhotoType type;
} brands[] = {
    {"avif", PHOTO_TYPE_AVIF}, {"avis", PHOTO_TYPE_AVIF}, {"heic", PHOTO_TYPE_HEIC},
    {"heix", PHOTO_TYPE_HEIC}, {"hevc", PHOTO_TYPE_HEIC}, {"hevx", PHOTO_TYPE_HEIC},
    {"heim", PHOTO_TYPE_HEIC}, {"heis", PHOTO_TYPE_HEIC}, {"crx ", PHOTO_TYPE_CR3},
    {"qt  ", PHOTO_TYPE_MOV},  {"isom", PHOTO_TYPE_MP4},  {"iso2", PHOTO_TYPE_MP4},
    {"iso4", PHOTO_TYPE_MP4},  {"iso5", PHOTO_TYPE_MP4},  {"iso6", PHOTO_TYPE_MP4},
    {"mp41", PHOTO_TYPE_MP4},  {"mp42", PHOTO_TYPE_MP4},  {"avc1", PHOTO_TYPE_MP4},
    {"M4V ", PHOTO_TYPE_MP4},  {"MSNV", PHOTO_TYPE_MP4},
};

const PhotoTypeInfo *photo_type_info(PhotoType type) {
    assert(type >= 0 && type < _PHOTO_TYPE_MAX);
    return &types[type];
}

static PhotoType find_brand(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(brands); i++) {
        if (memcmp(name, brands[i].name, 4) == 0) {
            return brands[i].type;
        }
    }
    return PHOTO_TYPE_UNKNOWN;
}

/* A file type box: size, "ftyp", major brand, version, compatible brands (ISO/IEC 14496-12, 4.3).
 */
static PhotoType sniff_boxes(Str head) {
    const uint8_t *b = (const uint8_t *)head.ptr;
    PhotoType found, type;
    size_t size;

    if (head.len < 16 || memcmp(head.ptr + 4, "ftyp", 4) != 0) {
        return PHOTO_TYPE_UNKNOWN;
    }
    found = find_brand(head.ptr + 8);
    size = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    size = MIN(MIN(size, head.len), 16 + (size_t)4 * BRANDS_MAX);
    for (size_t at = 16; at + 4 <= size && types[found].kind != PHOTO_KIND_PICTURE; at += 4) {
        type = find_brand(head.ptr + at);
        if (found == PHOTO_TYPE_UNKNOWN || types[type].kind == PHOTO_KIND_PICTURE) {
            found = type;
        }
    }
    return found;
}

/* A number of 2 or 4 bytes in a TIFF; 0 beyond what is there. */
static uint32_t read_number(Str head, size_t at, size_t bytes) {
    bool big = head.ptr[0] == 'M';
    uint32_t value = 0;

    for (size_t i = 0; i < bytes && at < head.len && bytes <= head.len - at; i++) {
        size_t from = big ? at + i : at + bytes - 1 - i;
        value = value << 8 | (uint8_t)head.ptr[from];
    }
    return value;
}

static bool text_starts_with(Str head, size_t at, Str prefix) {
    return at < head.len && str_starts_with((Str){head.ptr + at, head.len - at}, prefix);
}

/*
 * A raw file's first directory (TIFF 6.0, section 2) holds DNGVersion (0xC612), or a small preview
 * (NewSubfileType 0xFE: 1) and its maker (0x10F); any other TIFF is one that people have made.
 */
static PhotoType sniff_tiff(Str head) {
    size_t at = read_number(head, 4, 4), end;
    bool preview = false;
    size_t maker = 0;

    end = at + 2 + (size_t)12 * MIN(read_number(head, at, 2), (uint32_t)ENTRIES_MAX);
    for (at += 2; at + 12 <= MIN(end, head.len); at += 12) {
        uint32_t tag = read_number(head, at, 2);
        if (tag == 0xc612) {
            return PHOTO_TYPE_DNG;
        }
        preview |= tag == 0xfe && read_number(head, at + 8, 4) == 1;
        maker =
            tag == 0x10f && read_number(head, at + 4, 4) > 4 ? read_number(head, at + 8, 4) : maker;
    }
    if (preview && maker > 0 && text_starts_with(head, maker, str_lit("NIKON"))) {
        return PHOTO_TYPE_NEF;
    }
    if (preview && maker > 0 && text_starts_with(head, maker, str_lit("SONY"))) {
        return PHOTO_TYPE_ARW;
    }
    return PHOTO_TYPE_TIFF;
}

PhotoType photo_type_sniff(Str head) {
    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        if (text_starts_with(head, magics[i].at, magics[i].bytes)) {
            return magics[i].type;
        }
    }
    if (str_starts_with(head, (Str){"II*\0", 4}) || str_starts_with(head, (Str){"MM\0*", 4})) {
        return sniff_tiff(head);
    }
    if (head.len >= 16 && memcmp(head.ptr, "RIFF", 4) == 0 &&
        memcmp(head.ptr + 8, "WEBP", 4) == 0) {
        return PHOTO_TYPE_WEBP;
    }
    return sniff_boxes(head);
}
