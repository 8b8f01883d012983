/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/photo_type.h"

#include "core/model/tiff.h"

#include <assert.h>

#define BRANDS_MAX 32

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
    [PHOTO_TYPE_PEF] = {"pef", "image/x-pentax-pef", "pef", PHOTO_KIND_RAW},
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

static bool text_starts_with(Str head, size_t at, Str prefix) {
    return at < head.len && str_starts_with((Str){head.ptr + at, head.len - at}, prefix);
}

/*
 * A raw file's first directory (TIFF 6.0, section 2) holds DNGVersion (0xC612), or its maker
 * (0x10F) and a small preview (NewSubfileType 0xFE: 1) or samples behind a filter of colours
 * (PhotometricInterpretation 0x106: 32803); any other TIFF is one that people have made.
 */
static PhotoType sniff_tiff(Str head) {
    static const struct {
        Str maker;
        PhotoType type;
        bool filtered;
    } makers[] = {
        {str_lit("NIKON"), PHOTO_TYPE_NEF, false},
        {str_lit("SONY"), PHOTO_TYPE_ARW, false},
        {str_lit("PENTAX"), PHOTO_TYPE_PEF, true},
        {str_lit("RICOH"), PHOTO_TYPE_PEF, true},
    };
    TiffDirectory first;
    TiffEntry entry;
    bool preview, filtered;

    if (!tiff_open(head, &first)) {
        return PHOTO_TYPE_TIFF;
    }
    if (tiff_find(&first, 0xc612, &entry)) {
        return PHOTO_TYPE_DNG;
    }
    preview = tiff_find_number(&first, 0xfe) == 1;
    filtered = tiff_find_number(&first, 0x106) == 32803;
    for (size_t i = 0; tiff_find(&first, 0x10f, &entry) && i < ARRAY_LEN(makers); i++) {
        if (str_starts_with(tiff_text(&entry), makers[i].maker) &&
            (makers[i].filtered ? filtered : preview)) {
            return makers[i].type;
        }
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
