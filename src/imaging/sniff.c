/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/sniff.h"

#include <errno.h>

#define BRANDS_MAX 32

static const struct Magic {
    Str bytes;
    ImageFormat format;
} magics[] = {
    {{"\xff\xd8\xff", 3}, IMAGE_FORMAT_JPEG},
    {{"\x89PNG\r\n\x1a\n", 8}, IMAGE_FORMAT_PNG},
    {{"GIF87a", 6}, IMAGE_FORMAT_GIF},
    {{"GIF89a", 6}, IMAGE_FORMAT_GIF},
    {{"II*\0", 4}, IMAGE_FORMAT_TIFF},
    {{"MM\0*", 4}, IMAGE_FORMAT_TIFF},
    {{"BM", 2}, IMAGE_FORMAT_BMP},
};

/* The brands of a HEIF file that say how its still picture is coded (ISO/IEC 23008-12, AV1-AVIF).
 */
static const struct Brand {
    char name[5];
    ImageFormat format;
} brands[] = {
    {"avif", IMAGE_FORMAT_AVIF}, {"avis", IMAGE_FORMAT_AVIF}, {"heic", IMAGE_FORMAT_HEIC},
    {"heix", IMAGE_FORMAT_HEIC}, {"hevc", IMAGE_FORMAT_HEIC}, {"hevx", IMAGE_FORMAT_HEIC},
    {"heim", IMAGE_FORMAT_HEIC}, {"heis", IMAGE_FORMAT_HEIC},
};

static bool find_brand(const char *name, ImageFormat *ret_format) {
    for (size_t i = 0; i < ARRAY_LEN(brands); i++) {
        if (memcmp(name, brands[i].name, 4) == 0) {
            *ret_format = brands[i].format;
            return true;
        }
    }
    return false;
}

/* A file type box: size, "ftyp", major brand, version, compatible brands (ISO/IEC 14496-12, 4.3).
 */
static int sniff_heif(Str bytes, ImageFormat *ret_format) {
    const uint8_t *b = (const uint8_t *)bytes.ptr;
    size_t size;

    if (bytes.len < 16 || memcmp(bytes.ptr + 4, "ftyp", 4) != 0) {
        return -EINVAL;
    }
    if (find_brand(bytes.ptr + 8, ret_format)) {
        return 0;
    }
    size = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    size = MIN(MIN(size, bytes.len), 16 + (size_t)4 * BRANDS_MAX);
    for (size_t at = 16; at + 4 <= size; at += 4) {
        if (find_brand(bytes.ptr + at, ret_format)) {
            return 0;
        }
    }
    return -EINVAL;
}

int image_sniff(Str bytes, ImageFormat *ret_format) {
    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        if (str_starts_with(bytes, magics[i].bytes)) {
            *ret_format = magics[i].format;
            return 0;
        }
    }
    if (bytes.len >= 16 && memcmp(bytes.ptr, "RIFF", 4) == 0 &&
        memcmp(bytes.ptr + 8, "WEBP", 4) == 0) {
        *ret_format = IMAGE_FORMAT_WEBP;
        return 0;
    }
    return sniff_heif(bytes, ret_format);
}
