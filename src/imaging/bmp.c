/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/bmp.h"

#include <errno.h>

#define FILE_HEADER 14
#define INFO_HEADER 40
#define SIDE_MAX    1000000
enum {
    COMPRESSION_NONE = 0,
    COMPRESSION_MASKS = 3,
    COMPRESSION_ALPHA_MASKS = 6,
};

static uint32_t get16(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at) {
    return get16(at) | get16(at + 2) << 16;
}

/* The masks stand right behind the first 40 bytes, whether the header is longer or not. */
static int read_masks(Str bytes, uint32_t header_size, uint32_t compression, BmpHeader *header) {
    const uint8_t *b = (const uint8_t *)bytes.ptr;
    bool alpha = compression == COMPRESSION_ALPHA_MASKS || header_size >= 56;
    uint32_t count = alpha ? 4 : 3;

    if (compression == COMPRESSION_NONE) {
        bool narrow = header->bits == 16;
        header->masks[0] = narrow ? 0x7c00 : 0xff0000;
        header->masks[1] = narrow ? 0x03e0 : 0x00ff00;
        header->masks[2] = narrow ? 0x001f : 0x0000ff;
        return 0;
    }
    if (bytes.len < FILE_HEADER + INFO_HEADER + 4 * count) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < count; i++) {
        header->masks[i] = get32(b + FILE_HEADER + INFO_HEADER + (size_t)4 * i);
    }
    header->has_alpha = header->masks[3] != 0;
    return 0;
}

static int read_palette(Str bytes, uint32_t header_size, uint32_t used, BmpHeader *header) {
    uint32_t most = 1U << header->bits;
    uint64_t offset = (uint64_t)FILE_HEADER + header_size;

    header->colours = used == 0 || used > most ? most : used;
    if (offset + 4ULL * header->colours > bytes.len) {
        return -EINVAL;
    }
    header->palette = (const uint8_t *)bytes.ptr + offset;
    return 0;
}

static int read_size(const uint8_t *info, BmpHeader *header) {
    int64_t width = (int32_t)get32(info + 4), height = (int32_t)get32(info + 8);

    header->top_down = height < 0;
    height = height < 0 ? -height : height;
    if (width < 1 || width > SIDE_MAX || height < 1 || height > SIDE_MAX) {
        return -EINVAL;
    }
    header->width = (uint32_t)width;
    header->height = (uint32_t)height;
    return 0;
}

int bmp_read_header(Str bytes, BmpHeader *ret_header) {
    const uint8_t *b = (const uint8_t *)bytes.ptr, *info = b + FILE_HEADER;
    BmpHeader header = {0};
    uint32_t size, compression;
    uint64_t offset;
    int r = -EINVAL;

    if (bytes.len < FILE_HEADER + INFO_HEADER) {
        return -EINVAL;
    }
    size = get32(info);
    compression = get32(info + 16);
    header.bits = get16(info + 14);
    if (size < INFO_HEADER || size > bytes.len || read_size(info, &header) < 0) {
        return -EINVAL;
    }
    if (header.bits == 1 || header.bits == 4 || header.bits == 8) {
        r = compression == COMPRESSION_NONE ? read_palette(bytes, size, get32(info + 32), &header)
                                            : -EINVAL;
    } else if (header.bits == 24) {
        r = compression == COMPRESSION_NONE ? 0 : -EINVAL;
    } else if ((header.bits == 16 || header.bits == 32) &&
               (compression == COMPRESSION_NONE || compression == COMPRESSION_MASKS ||
                compression == COMPRESSION_ALPHA_MASKS)) {
        r = read_masks(bytes, size, compression, &header);
    }
    offset = get32(b + 10);
    header.stride = ((uint64_t)header.width * header.bits + 31) / 32 * 4;
    if (r < 0 || offset > bytes.len || header.stride * header.height > bytes.len - offset) {
        return -EINVAL;
    }
    header.pixels = b + offset;
    *ret_header = header;
    return 0;
}

/* The bits of a mask, stretched to 0..255. */
static uint8_t take_bits(uint32_t pixel, uint32_t mask) {
    uint64_t most, value;

    if (mask == 0) {
        return 0;
    }
    most = mask >> __builtin_ctz(mask);
    value = (pixel & mask) >> __builtin_ctz(mask);
    return (uint8_t)((value * 255 + most / 2) / most);
}

static void decode_masked(const BmpHeader *header, const uint8_t *from, uint8_t *to) {
    uint32_t size = header->bits / 8, bands = header->has_alpha ? 4 : 3;

    for (uint32_t x = 0; x < header->width; x++, from += size, to += bands) {
        uint32_t pixel = size == 2 ? get16(from) : get32(from);
        for (uint32_t band = 0; band < bands; band++) {
            to[band] = take_bits(pixel, header->masks[band]);
        }
    }
}

static void decode_indexed(const BmpHeader *header, const uint8_t *from, uint8_t *to) {
    uint32_t per_byte = 8 / header->bits, mask = (1U << header->bits) - 1;

    for (uint32_t x = 0; x < header->width; x++, to += 3) {
        uint32_t shift = (per_byte - 1 - x % per_byte) * header->bits;
        uint32_t index = (uint32_t)(from[x / per_byte] >> shift) & mask;
        const uint8_t *bgr = header->palette + 4 * (size_t)MIN(index, header->colours - 1);
        to[0] = bgr[2];
        to[1] = bgr[1];
        to[2] = bgr[0];
    }
}

static void decode_bgr(const BmpHeader *header, const uint8_t *from, uint8_t *to) {
    for (uint32_t x = 0; x < header->width; x++, from += 3, to += 3) {
        to[0] = from[2];
        to[1] = from[1];
        to[2] = from[0];
    }
}

VipsImage *bmp_decode(const BmpHeader *header) {
    VipsImage *image = vips_image_new_memory();

    vips_image_init_fields(image, (int)header->width, (int)header->height,
                           header->has_alpha ? 4 : 3, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE,
                           VIPS_INTERPRETATION_sRGB, 1, 1);
    if (vips_image_write_prepare(image)) {
        vips_error_clear();
        g_object_unref(image);
        return NULL;
    }
    for (uint32_t y = 0; y < header->height; y++) {
        uint32_t row = header->top_down ? y : header->height - 1 - y;
        const uint8_t *from = header->pixels + header->stride * row;
        uint8_t *to = (uint8_t *)VIPS_IMAGE_ADDR(image, 0, (int)y);
        if (header->bits == 24) {
            decode_bgr(header, from, to);
        } else if (header->bits < 16) {
            decode_indexed(header, from, to);
        } else {
            decode_masked(header, from, to);
        }
    }
    return image;
}
