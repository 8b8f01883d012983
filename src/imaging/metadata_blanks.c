/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/metadata_blanks.h"

#include <errno.h>

#define EXIF_MIN_LEN 32

static uint32_t be32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t le32(const uint8_t *at) {
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* EXIF that says nothing but how the pixels are to be turned (tag 0x0112, one SHORT). */
static void write_orientation(uint32_t orientation, uint8_t ret_exif[EXIF_MIN_LEN]) {
    static const uint8_t exif[EXIF_MIN_LEN] = {'E', 'x', 'i', 'f', 0, 0, 'M',  'M', 0, 42, 0,
                                               0,   0,   8,   0,   1, 1, 0x12, 0,   3, 0,  0,
                                               0,   1,   0,   0,   0, 0, 0,    0,   0, 0};

    memcpy(ret_exif, exif, sizeof(exif));
    ret_exif[25] = (uint8_t)orientation;
}

/* Segments whose payload stays: what the decoder needs. */
static bool jpeg_keeps(uint8_t marker, Str payload) {
    if (marker == 0xE0) {
        return str_starts_with(payload, (Str){"JFIF", 5});
    }
    if (marker == 0xE2) {
        return str_starts_with(payload, (Str){"ICC_PROFILE", 12});
    }
    if (marker == 0xEE) {
        return str_starts_with(payload, str_lit("Adobe"));
    }
    return marker != 0xFE && (marker < 0xE0 || marker > 0xEF);
}

/* A segment of metadata; `turned`: its EXIF has to go on to say so. */
static bool jpeg_blank(Blanks *blanks, size_t at, Str payload, uint8_t marker, uint32_t orientation,
                       bool *turned) {
    uint8_t exif[EXIF_MIN_LEN];

    if (*turned || marker != 0xE1 || !str_starts_with(payload, (Str){"Exif", 5}) ||
        payload.len < EXIF_MIN_LEN) {
        return blanks_add(blanks, at, payload.len, NULL, 0);
    }
    *turned = true;
    write_orientation(orientation, exif);
    return blanks_add(blanks, at, payload.len, exif, sizeof(exif));
}

/* Behind a scan's header: where its data ends, which is at the next marker that is no restart. */
static size_t jpeg_skip_scan(Str file, size_t at) {
    const uint8_t *bytes = (const uint8_t *)file.ptr;

    while (at + 1 < file.len &&
           !(bytes[at] == 0xFF && bytes[at + 1] != 0 && bytes[at + 1] != 0xFF &&
             (bytes[at + 1] < 0xD0 || bytes[at + 1] > 0xD7))) {
        at++;
    }
    return at;
}

static bool find_in_jpeg(Str file, uint32_t orientation, Blanks *blanks) {
    const uint8_t *bytes = (const uint8_t *)file.ptr;
    bool turned = orientation == 1;
    size_t at = 2;

    while (at + 2 <= file.len && bytes[at] == 0xFF) {
        uint8_t marker = bytes[at + 1];
        size_t len;
        if (marker == 0xFF) {
            at++; /* fill */
            continue;
        }
        if (marker == 0xD9) {
            at += 2;
            return turned && blanks_add(blanks, at, file.len - at, NULL, 0);
        }
        if (at + 4 > file.len || (len = (size_t)bytes[at + 2] << 8 | bytes[at + 3]) < 2 ||
            len > file.len - at - 2) {
            return false;
        }
        Str payload = {file.ptr + at + 4, len - 2};
        if (!jpeg_keeps(marker, payload) &&
            !jpeg_blank(blanks, at + 4, payload, marker, orientation, &turned)) {
            return false;
        }
        at += 2 + len;
        if (marker == 0xDA) {
            at = jpeg_skip_scan(file, at);
        }
    }
    return false; /* it has no end */
}

static uint32_t crc_step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) {
        crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return crc;
}

static bool png_keeps(const uint8_t type[4]) {
    static const char kept[][5] = {"tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "pHYs", "bKGD",
                                   "hIST", "sPLT", "cICP", "mDCV", "cLLI", "acTL", "fcTL", "fdAT"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (memcmp(type, kept[i], 4) == 0) {
            return true;
        }
    }
    return (type[0] & 0x20) == 0; /* critical */
}

/* A chunk that no reader knows, with the checksum that it has to have (annex D). */
static bool png_blank(Blanks *blanks, size_t at, uint32_t len) {
    static const uint8_t type[4] = {'v', 'o', 'I', 'd'};
    uint32_t crc = UINT32_MAX;
    uint8_t sum[4];

    for (size_t i = 0; i < 4; i++) {
        crc = crc_step(crc, type[i]);
    }
    for (uint32_t i = 0; i < len; i++) {
        crc = crc_step(crc, 0);
    }
    crc = ~crc;
    for (int i = 0; i < 4; i++) {
        sum[i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    return blanks_add(blanks, at + 4, 4 + (uint64_t)len, type, sizeof(type)) &&
           blanks_add(blanks, at + 8 + (uint64_t)len, 4, sum, sizeof(sum));
}

static bool find_in_png(Str file, Blanks *blanks) {
    const uint8_t *bytes = (const uint8_t *)file.ptr;
    size_t at = 8;

    while (at + 12 <= file.len) {
        uint32_t len = be32(bytes + at);
        if (len > file.len - at - 12) {
            return false;
        }
        if (!png_keeps(bytes + at + 4) && !png_blank(blanks, at, len)) {
            return false;
        }
        if (memcmp(bytes + at + 4, "IEND", 4) == 0) {
            at += 12 + (size_t)len;
            return blanks_add(blanks, at, file.len - at, NULL, 0);
        }
        at += 12 + (size_t)len;
    }
    return false;
}

static bool webp_keeps(const uint8_t type[4]) {
    static const char kept[][5] = {"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (memcmp(type, kept[i], 4) == 0) {
            return true;
        }
    }
    return false;
}

/* A chunk that no reader knows, since some take zeros amiss for EXIF. */
static bool webp_blank(Blanks *blanks, size_t at, const uint8_t len_bytes[4], uint32_t len) {
    uint8_t head[8] = {'v', 'o', 'I', 'd'};

    memcpy(head + 4, len_bytes, 4);
    return blanks_add(blanks, at, 8 + (uint64_t)len, head, sizeof(head));
}

static bool find_in_webp(Str file, Blanks *blanks) {
    const uint8_t *bytes = (const uint8_t *)file.ptr;
    size_t end, at = 12;

    if (file.len < 12 || le32(bytes + 4) > file.len - 8) {
        return false;
    }
    end = 8 + (size_t)le32(bytes + 4);
    while (at + 8 <= end) {
        uint32_t len = le32(bytes + at + 4);
        if (len > end - at - 8) {
            return false;
        }
        if (!webp_keeps(bytes + at) && !webp_blank(blanks, at, bytes + at + 4, len)) {
            return false;
        }
        at += 8 + (size_t)len + (len & 1);
    }
    return blanks_add(blanks, end, file.len - end, NULL, 0);
}

void metadata_blanks_find(Str file, ImageFormat format, uint32_t orientation,
                          char ret_text[BLANKS_TEXT_MAX + 1]) {
    Blanks blanks = {.n = 0};
    bool found = false;

    if (format == IMAGE_FORMAT_JPEG) {
        found = find_in_jpeg(file, orientation, &blanks);
    } else if (format == IMAGE_FORMAT_PNG && orientation == 1) {
        found = find_in_png(file, &blanks);
    } else if (format == IMAGE_FORMAT_WEBP && orientation == 1) {
        found = find_in_webp(file, &blanks);
    }
    ret_text[0] = '\0';
    if (found) {
        blanks_write(&blanks, ret_text);
    }
}
