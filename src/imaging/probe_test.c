/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/sniff.h"
#include "imaging/testing.h"

#include <zlib.h>

static int probe(const void *bytes, size_t len, ImageInfo *ret_info) {
    const char *detail = NULL;
    int r = image_probe((Str){bytes, len}, &test_limits, ret_info, &detail);

    assert_true(r >= 0);
    if (r > 0) {
        assert_true(strlen(detail) > 0);
    }
    return r;
}

static void test_only_accepted_formats_are_told_apart(void **state) {
    static const struct {
        Str bytes;
        int format; /* -1: none */
    } cases[] = {
        {str_lit("\xff\xd8\xff\xe0"), IMAGE_FORMAT_JPEG},
        {str_lit("\x89PNG\r\n\x1a\n...."), IMAGE_FORMAT_PNG},
        {str_lit("GIF89a"), IMAGE_FORMAT_GIF},
        {str_lit("RIFF\x10\0\0\0WEBPVP8 "), IMAGE_FORMAT_WEBP},
        {str_lit("II*\0\x08\0\0\0"), IMAGE_FORMAT_TIFF},
        {str_lit("\0\0\0\x1c"
                 "ftypavif\0\0\0\0avifmif1"),
         IMAGE_FORMAT_AVIF},
        {str_lit("\0\0\0\x1c"
                 "ftypmif1\0\0\0\0mif1heic"),
         IMAGE_FORMAT_HEIC},
        {str_lit("\0\0\0\x1c"
                 "ftypisom\0\0\0\0isommp41"),
         -1},
        {str_lit("RIFF\x10\0\0\0WAVEfmt "), -1},
        {str_lit("<svg xmlns='http://www.w3.org/2000/svg'/>"), -1},
        {str_lit("<?xml version='1.0'?><svg/>"), -1},
        {str_lit("%PDF-1.7\n"), -1},
        {str_lit("PK\3\4"), -1},
        {str_lit("P6\n1 1\n255\n"), -1},
        {str_lit("push graphic-context"), -1},
        {str_lit(""), -1},
        {str_lit("G"), -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ImageFormat format;
        ImageInfo info;
        int r = image_sniff(cases[i].bytes, &format);
        if (cases[i].format < 0) {
            assert_true(r < 0);
            assert_int_equal(probe(cases[i].bytes.ptr, cases[i].bytes.len, &info),
                             RENDER_UNSUPPORTED);
        } else {
            assert_int_equal(r, 0);
            assert_int_equal(format, cases[i].format);
            assert_int_equal(probe(cases[i].bytes.ptr, cases[i].bytes.len, &info),
                             RENDER_UNREADABLE);
        }
    }
}

/* A PNG whose header claims any size; its pixel data is next to nothing. */
static size_t png_header(uint8_t *to, uint32_t width, uint32_t height) {
    static const uint8_t tail[] = "\0\0\0\x0aIDAT\x78\x9c\x63\0\0\0\x01\0\x01";
    uint8_t head[33] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
    uint32_t numbers[2] = {__builtin_bswap32(width), __builtin_bswap32(height)}, crc;

    memcpy(head + 16, numbers, 8);
    memcpy(head + 24, "\x08\x02\0\0\0", 5);
    crc = __builtin_bswap32((uint32_t)crc32(0, head + 12, 17));
    memcpy(head + 29, &crc, 4);
    memcpy(to, head, sizeof(head));
    memcpy(to + sizeof(head), tail, sizeof(tail));
    return sizeof(head) + sizeof(tail);
}

static void test_sizes_are_judged_before_anything_is_decoded(void **state) {
    static const struct {
        uint32_t width, height;
        int result;
    } cases[] = {
        {100, 100, 0},
        {20000, 2500, 0},
        {20000, 2501, RENDER_TOO_LARGE},
        {20001, 1, RENDER_TOO_LARGE},
        {100000, 100000, RENDER_TOO_LARGE},
        {0, 100, RENDER_UNREADABLE},
        {100, 0, RENDER_UNREADABLE},
        {0x7fffffff, 0x7fffffff, -1}, /* too large or unreadable */
        {0xffffffff, 0xffffffff, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[128];
        size_t len = png_header(bytes, cases[i].width, cases[i].height);
        ImageInfo info;
        int r = probe(bytes, len, &info);
        if (cases[i].result < 0) {
            assert_true(r == RENDER_TOO_LARGE || r == RENDER_UNREADABLE);
        } else {
            assert_int_equal(r, cases[i].result);
        }
    }
}

static void test_frames_are_counted(void **state) {
    static const uint8_t head[] = "GIF89a\x04\0\x04\0\x80\0\0\0\0\0\xff\xff\xff";
    static const uint8_t frame[] = "\x2c\0\0\0\0\x04\0\x04\0\0\x02\x05\x84\x8f\xa9\xcb\x05\0";
    Buf gif = BUF_INIT;
    ImageInfo info;

    (void)state;
    buf_add(&gif, head, sizeof(head) - 1);
    for (int i = 0; i < 100; i++) {
        buf_add(&gif, frame, sizeof(frame) - 1);
    }
    buf_add(&gif, ";", 1);
    assert_int_equal(probe(gif.data, gif.len, &info), 0);
    assert_int_equal(info.pages, 100);
    gif.len--;
    for (int i = 0; i < 9900; i++) {
        buf_add(&gif, frame, sizeof(frame) - 1);
    }
    buf_add(&gif, ";", 1);
    assert_int_equal(probe(gif.data, gif.len, &info), RENDER_TOO_LARGE);
    buf_done(&gif);
}

static void test_tiff_with_a_loop_of_directories(void **state) {
    /* One directory without a tag, whose successor is itself. */
    static const uint8_t loop[] = "II*\0\x08\0\0\0\0\0\x08\0\0\0";
    Buf tiff = test_encode(test_photo(8, 8), ".tif");
    uint32_t offset;
    uint16_t count;
    ImageInfo info;

    (void)state;
    assert_int_equal(probe(loop, sizeof(loop) - 1, &info), RENDER_UNREADABLE);
    /* A sound one whose last directory points at itself. */
    memcpy(&offset, tiff.data + 4, 4);
    memcpy(&count, tiff.data + offset, 2);
    memcpy(tiff.data + offset + 2 + 12 * (size_t)count, &offset, 4);
    if (probe(tiff.data, tiff.len, &info) == 0) {
        assert_in_range(info.pages, 1, 2);
    }
    buf_done(&tiff);
}

static void put32(uint8_t *at, uint32_t value) {
    memcpy(at, &value, 4);
}

/* A bitmap of 3 x 2 pixels; `pixels` are its rows in file order. */
static Buf bitmap(int32_t height, uint32_t bits, uint32_t compression, const char *extra,
                  size_t extra_len, const char *pixels, size_t pixels_len) {
    uint8_t head[54] = "BM";
    Buf buf = BUF_INIT;

    put32(head + 10, (uint32_t)(sizeof(head) + extra_len));
    put32(head + 14, 40);
    put32(head + 18, 3);
    put32(head + 22, (uint32_t)height);
    head[26] = 1;
    head[28] = (uint8_t)bits;
    put32(head + 30, compression);
    buf_add(&buf, head, sizeof(head));
    buf_add(&buf, extra, extra_len);
    buf_add(&buf, pixels, pixels_len);
    return buf;
}

static void check_bitmap(Buf buf) {
    Picture picture;
    const char *detail;
    ImageInfo info;

    assert_int_equal(probe(buf.data, buf.len, &info), 0);
    assert_int_equal(info.format, IMAGE_FORMAT_BMP);
    assert_int_equal(info.width, 3);
    assert_int_equal(info.height, 2);
    assert_int_equal(decode_picture(buf_str(&buf), &info, 0, &picture, &detail), 0);
    /* Red, green, blue; white, black, red. */
    assert_memory_equal(picture.rgb,
                        "\xff\0\0\0\xff\0\0\0\xff"
                        "\xff\xff\xff\0\0\0\xff\0\0",
                        18);
    picture_done(&picture);
    assert_int_equal(probe(buf.data, buf.len - 1, &info), RENDER_UNREADABLE);
    buf_done(&buf);
}

static void test_bitmaps(void **state) {
    static const char palette[] = "\0\0\xff\0\0\xff\0\0\xff\0\0\0\xff\xff\xff\0\0\0\0\0";
    static const char rows24[] = "\xff\xff\xff\0\0\0\0\0\xff\0\0\0"
                                 "\0\0\xff\0\xff\0\xff\0\0\0\0\0";
    static const char top_down24[] = "\0\0\xff\0\xff\0\xff\0\0\0\0\0"
                                     "\xff\xff\xff\0\0\0\0\0\xff\0\0\0";
    static const char rows32[] = "\xff\xff\xff\0\0\0\0\0\0\0\xff\0\0\0\xff\0\0\xff\0\0\xff\0\0\0";
    static const char rows16[] = "\xff\x7f\0\0\0\x7c\0\0\0\x7c\xe0\x03\x1f\0\0\0";
    static const char masks565[] = "\0\xf8\0\0\xe0\x07\0\0\x1f\0\0\0";
    static const char rows565[] = "\xff\xff\0\0\0\xf8\0\0\0\xf8\xe0\x07\x1f\0\0\0";
    static const char rows8[] = "\3\4\0\0\0\1\2\0", rows4[] = "\x34\0\0\0\x01\x20\0\0";
    char palette8[1024] = {0}, palette4[64] = {0};

    (void)state;
    memcpy(palette8, palette, 20);
    memcpy(palette4, palette, 20);
    check_bitmap(bitmap(2, 24, 0, "", 0, rows24, 24));
    check_bitmap(bitmap(-2, 24, 0, "", 0, top_down24, 24));
    check_bitmap(bitmap(2, 32, 0, "", 0, rows32, 24));
    check_bitmap(bitmap(2, 16, 0, "", 0, rows16, 16));
    check_bitmap(bitmap(2, 16, 3, masks565, 12, rows565, 16));
    check_bitmap(bitmap(2, 8, 0, palette8, 1024, rows8, 8));
    check_bitmap(bitmap(2, 4, 0, palette4, 64, rows4, 8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_accepted_formats_are_told_apart),
        cmocka_unit_test(test_sizes_are_judged_before_anything_is_decoded),
        cmocka_unit_test(test_frames_are_counted),
        cmocka_unit_test(test_tiff_with_a_loop_of_directories),
        cmocka_unit_test(test_bitmaps),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
