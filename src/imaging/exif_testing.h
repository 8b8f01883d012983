/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* EXIF blocks for tests, good and bad: tags as a table. */

#include "base/test.h"

#include "base/str.h"

#define TEST_BYTE      1
#define TEST_ASCII     2
#define TEST_SHORT     3
#define TEST_LONG      4
#define TEST_RATIONAL  5
#define TEST_UNDEFINED 7

/* A tag of the main directory ('0'), of EXIF's ('E') or of GPS's ('G'). */
typedef struct TestTag {
    char ifd;
    uint16_t tag, type;
    uint32_t count;      /* 0: as many as there are */
    const char *text;    /* BYTE, ASCII, UNDEFINED */
    uint32_t numbers[6]; /* SHORT, LONG; RATIONAL: numerators and denominators */
    size_t len;          /* of text; 0: to its end and the NUL behind it */
} TestTag;

static inline void test_put(Buf *buf, uint32_t value, unsigned bytes, bool big) {
    for (unsigned i = 0; i < bytes; i++) {
        buf_add(buf, &(uint8_t){(uint8_t)(value >> 8 * (big ? bytes - 1 - i : i))}, 1);
    }
}

/* One entry; what does not fit into it goes to `data`, which will lie at `base`. */
static inline void test_put_tag(Buf *buf, Buf *data, size_t base, const TestTag *tag, bool big) {
    static const unsigned sizes[] = {0, 1, 1, 2, 4, 8, 0, 1};
    Buf value = BUF_INIT;
    unsigned size = sizes[tag->type];
    uint32_t count = tag->count;

    if (tag->text) {
        buf_add(&value, tag->text, tag->len ? tag->len : strlen(tag->text) + 1);
    } else {
        uint32_t n = count ? MIN(count, 6 * 4 / MAX(size, 4u)) : 1;
        for (uint32_t i = 0; i < (size == 8 ? 2 * n : n); i++) {
            test_put(&value, tag->numbers[i], MIN(size, 4u), big);
        }
    }
    count = count ? count : (uint32_t)(value.len / size);
    test_put(buf, tag->tag, 2, big);
    test_put(buf, tag->type, 2, big);
    test_put(buf, count, 4, big);
    if (value.len > 4) {
        test_put(buf, (uint32_t)(base + data->len), 4, big);
        buf_add_str(data, buf_str(&value));
    } else {
        buf_add_str(buf, buf_str(&value));
        buf_add(buf, "\0\0\0\0", 4 - value.len);
    }
    buf_done(&value);
}

/* A TIFF header and the directories, without "Exif\0\0". */
static inline Buf test_exif(const TestTag *tags, size_t n, bool big) {
    static const char ifds[] = {'0', 'E', 'G'};
    Buf buf = BUF_INIT, data = BUF_INIT;
    size_t at[4], count[3] = {2, 0, 0};

    for (size_t i = 0; i < n; i++) {
        count[tags[i].ifd == '0' ? 0 : tags[i].ifd == 'E' ? 1 : 2]++;
    }
    at[0] = 8;
    for (size_t i = 0; i < 3; i++) {
        at[i + 1] = at[i] + 2 + 12 * count[i] + 4;
    }
    buf_add(&buf, big ? "MM" : "II", 2);
    test_put(&buf, 42, 2, big);
    test_put(&buf, 8, 4, big);
    for (size_t ifd = 0; ifd < 3; ifd++) {
        test_put(&buf, (uint32_t)count[ifd], 2, big);
        for (size_t i = 0; i < n; i++) {
            if (tags[i].ifd == ifds[ifd]) {
                test_put_tag(&buf, &data, at[3], &tags[i], big);
            }
        }
        if (ifd == 0) {
            test_put_tag(&buf, &data, at[3],
                         &(TestTag){.tag = 0x8769, .type = TEST_LONG, .numbers = {at[1]}}, big);
            test_put_tag(&buf, &data, at[3],
                         &(TestTag){.tag = 0x8825, .type = TEST_LONG, .numbers = {at[2]}}, big);
        }
        test_put(&buf, 0, 4, big);
    }
    buf_add_str(&buf, buf_str(&data));
    buf_done(&data);
    return buf;
}

/* Puts a block into a JPEG as its APP1 segment; it must be shorter than 64 KiB. */
static inline void test_add_exif(Buf *jpeg, const Buf *exif) {
    Buf out = BUF_INIT;

    assert_true(exif->len < 65520);
    buf_add(&out, "\xff\xd8\xff\xe1", 4);
    test_put(&out, (uint32_t)exif->len + 8, 2, true);
    buf_add(&out, "Exif\0\0", 6);
    buf_add_str(&out, buf_str(exif));
    buf_add(&out, jpeg->data + 2, jpeg->len - 2);
    buf_done(jpeg);
    *jpeg = out;
}

/* What a phone writes, as far as anybody asks for it. */
static const TestTag test_phone_tags[] = {
    {'0', 0x010f, TEST_ASCII, .text = "Apple"},
    {'0', 0x0110, TEST_ASCII, .text = "iPhone 15 Pro"},
    {'E', 0x829a, TEST_RATIONAL, .numbers = {1, 125}},
    {'E', 0x829d, TEST_RATIONAL, .numbers = {178, 100}},
    {'E', 0x8827, TEST_SHORT, .numbers = {64}},
    {'E', 0x9003, TEST_ASCII, .text = "2026:05:17 14:03:09"},
    {'E', 0x9011, TEST_ASCII, .text = "+02:00"},
    {'E', 0x9291, TEST_ASCII, .text = "12"},
    {'E', 0x920a, TEST_RATIONAL, .numbers = {6765, 1000}},
    {'E', 0xa434, TEST_ASCII, .text = "back triple camera 6.765mm f/1.78"},
    {'G', 0x0001, TEST_ASCII, .text = "S"},
    {'G', 0x0002, TEST_RATIONAL, .count = 3, .numbers = {33, 1, 51, 1, 2400, 100}},
    {'G', 0x0003, TEST_ASCII, .text = "E"},
    {'G', 0x0004, TEST_RATIONAL, .count = 3, .numbers = {151, 1, 1250, 100, 0, 1}},
    {'G', 0x0005, TEST_BYTE, .text = "\1", .len = 1},
    {'G', 0x0006, TEST_RATIONAL, .numbers = {25, 2}},
};
