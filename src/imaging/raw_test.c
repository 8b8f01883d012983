/* SPDX-License-Identifier: Apache-2.0 */
/* Raw files, good and bad: CR3 by its boxes, RAF by its header, the others by their directories. */
#include "imaging/exif_testing.h"
#include "imaging/film_testing.h"
#include "imaging/ingest.h"
#include "imaging/raw.h"
#include "imaging/raw_scan.h"
#include "imaging/testing.h"

#include <math.h>

/* Main directory, EXIF's and GPS's, each as the first of a block of its own. */
static const TestTag main_tags[] = {
    {'0', 0x0100, TEST_LONG, .numbers = {6000}}, {'0', 0x0101, TEST_LONG, .numbers = {4000}},
    {'0', 0x010f, TEST_ASCII, .text = "Canon"},  {'0', 0x0110, TEST_ASCII, .text = "EOS R6"},
    {'0', 0x0112, TEST_SHORT, .numbers = {6}},
};
static const TestTag details_tags[] = {
    {'0', 0x8827, TEST_SHORT, .numbers = {64}},
    {'0', 0x9003, TEST_ASCII, .text = "2026:05:17 14:03:09"},
    {'0', 0x9011, TEST_ASCII, .text = "+02:00"},
};
static const TestTag place_tags[] = {
    {'0', 0x0001, TEST_ASCII, .text = "S"},
    {'0', 0x0002, TEST_RATIONAL, .count = 3, .numbers = {33, 1, 51, 1, 2400, 100}},
    {'0', 0x0003, TEST_ASCII, .text = "E"},
    {'0', 0x0004, TEST_RATIONAL, .count = 3, .numbers = {151, 1, 1250, 100, 0, 1}},
};

static void add_block(Buf *file, const char *type, const TestTag *tags, size_t n) {
    size_t at = test_begin_box(file, type);
    Buf block = test_exif(tags, n, false);

    buf_add_str(file, buf_str(&block));
    test_end_box(file, at);
    buf_done(&block);
}

/* A box with a JPEG behind `len_at` bytes, its length and 4 bytes less than `jpeg_at`. */
static void add_jpeg_box(Buf *file, const char *type, unsigned len_at, const Buf *jpeg) {
    size_t at = test_begin_box(file, type);

    for (unsigned i = 0; i < len_at; i++) {
        test_number(file, 0, 1);
    }
    test_number(file, jpeg->len, 4);
    if (len_at < 12) {
        test_number(file, 0x10000, 4);
    }
    buf_add_str(file, buf_str(jpeg));
    test_end_box(file, at);
}

static Buf test_cr3(const Buf *preview, const Buf *thumbnail, uint64_t track_at,
                    uint32_t track_len) {
    Buf file = BUF_INIT;
    size_t at = test_begin_box(&file, "ftyp"), moov, trak, mdia, minf, stbl;

    buf_add(&file, "crx \0\0\0\1crx isom", 16);
    test_end_box(&file, at);
    moov = test_begin_box(&file, "moov");
    at = test_begin_box(&file, "uuid");
    buf_add(&file, "\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48", 16);
    add_block(&file, "CMT1", main_tags, ARRAY_LEN(main_tags));
    add_block(&file, "CMT2", details_tags, ARRAY_LEN(details_tags));
    add_block(&file, "CMT4", place_tags, ARRAY_LEN(place_tags));
    add_jpeg_box(&file, "THMB", 8, thumbnail);
    test_end_box(&file, at);
    trak = test_begin_box(&file, "trak");
    mdia = test_begin_box(&file, "mdia");
    minf = test_begin_box(&file, "minf");
    stbl = test_begin_box(&file, "stbl");
    at = test_begin_box(&file, "stsz");
    test_number(&file, 0, 4);
    test_number(&file, track_len, 4);
    test_number(&file, 1, 4);
    test_end_box(&file, at);
    at = test_begin_box(&file, "co64");
    test_number(&file, 1, 8);
    test_number(&file, track_at, 8);
    test_end_box(&file, at);
    test_end_box(&file, stbl);
    test_end_box(&file, minf);
    test_end_box(&file, mdia);
    test_end_box(&file, trak);
    test_end_box(&file, moov);
    at = test_begin_box(&file, "uuid");
    buf_add(&file, "\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16", 16);
    test_number(&file, 1, 8);
    add_jpeg_box(&file, "PRVW", 12, preview);
    test_end_box(&file, at);
    return file;
}

/* `lies` take the place of the 6 numbers in the header, unless they are UINT32_MAX - 1. */
static Buf test_raf(const Buf *jpeg, const uint32_t lies[4]) {
    uint32_t said[4] = {108, (uint32_t)jpeg->len, 108 + (uint32_t)jpeg->len, 12};
    Buf file = BUF_INIT;

    buf_add(&file, "FUJIFILMCCD-RAW 0201FF383501", 28);
    for (unsigned i = 28; i < 84; i++) {
        test_number(&file, 0, 1);
    }
    for (unsigned i = 0; i < 4; i++) {
        test_number(&file, lies && lies[i] != UINT32_MAX - 1 ? lies[i] : said[i], 4);
    }
    test_number(&file, 0, 8);
    buf_add_str(&file, buf_str(jpeg));
    test_number(&file, 1, 4);
    test_number(&file, 0x111, 2);
    test_number(&file, 4, 2);
    test_number(&file, 3000, 2);
    test_number(&file, 4500, 2);
    return file;
}

static Buf jpeg_of(int width, int height) {
    return test_encode(test_photo(width, height), ".jpg[strip]");
}

static void boxes_of_canon(void **state) {
    Buf preview = jpeg_of(600, 400), thumbnail = jpeg_of(160, 120);
    Buf file = test_cr3(&preview, &thumbnail, 1, 1);
    PhotoInfo photo;
    RawInfo raw;

    (void)state;
    raw_read(buf_str(&file), PHOTO_TYPE_CR3, &raw, &photo);
    assert_true(photo_info_valid(&photo));
    assert_int_equal(photo.orientation, 6);
    assert_int_equal(raw.width, 4000);
    assert_int_equal(raw.height, 6000);
    assert_int_equal(raw.preview_len, preview.len);
    assert_memory_equal(file.data + raw.preview_offset, preview.data, preview.len);
    assert_string_equal(photo.model, "EOS R6");
    assert_string_equal(photo.taken, "2026-05-17T14:03:09");
    assert_int_equal(photo.taken_offset_min, 120);
    assert_int_equal(photo.iso, 64);
    assert_true(photo.has_place && fabs(photo.latitude - -33.856667) < 1e-5);
    buf_done(&file);
    /* What begins like a JPEG and is none counts for nothing. */
    memset(preview.data + 3, 0, preview.len - 3);
    file = test_cr3(&preview, &thumbnail, 1, 1);
    raw_read(buf_str(&file), PHOTO_TYPE_CR3, &raw, &photo);
    assert_int_equal(raw.preview_len, thumbnail.len);
    buf_done(&file);
    buf_done(&preview);
    buf_done(&thumbnail);
}

static void the_header_of_fuji(void **state) {
    static const uint32_t keep = UINT32_MAX - 1;
    static const uint32_t lies[][4] = {
        {UINT32_MAX, keep, keep, keep}, {keep, UINT32_MAX, keep, keep}, {0, keep, keep, keep},
        {keep, 3, keep, keep},          {keep, 0, keep, keep},
    };
    Buf jpeg = jpeg_of(600, 400);
    Buf exif = test_exif(test_phone_tags, ARRAY_LEN(test_phone_tags), true), file;
    PhotoInfo photo;
    RawInfo raw;

    (void)state;
    test_add_exif(&jpeg, &exif);
    file = test_raf(&jpeg, NULL);
    raw_read(buf_str(&file), PHOTO_TYPE_RAF, &raw, &photo);
    assert_true(photo_info_valid(&photo));
    assert_string_equal(photo.model, "iPhone 15 Pro");
    assert_string_equal(photo.taken, "2026-05-17T14:03:09.120");
    assert_int_equal(raw.width, 4500);
    assert_int_equal(raw.height, 3000);
    assert_memory_equal(file.data + raw.preview_offset, jpeg.data, raw.preview_len);
    assert_int_equal(raw.preview_len, jpeg.len);
    buf_done(&file);
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        file = test_raf(&jpeg, lies[i]);
        raw_read(buf_str(&file), PHOTO_TYPE_RAF, &raw, &photo);
        assert_int_equal(raw.preview_len, 0);
        assert_string_equal(photo.model, "");
        buf_done(&file);
    }
    for (size_t i = 2; i < 4; i++) {
        uint32_t lie[4] = {keep, keep, keep, keep};
        lie[i] = UINT32_MAX;
        file = test_raf(&jpeg, lie);
        raw_read(buf_str(&file), PHOTO_TYPE_RAF, &raw, &photo);
        assert_int_equal(raw.width, 600); /* the picture's: the records are not to be had */
        buf_done(&file);
    }
    buf_done(&exif);
    buf_done(&jpeg);
}

/* Directories that lead to each other, and more of them than anybody writes. */
static void directories_without_end(void **state) {
    static const TestTag tags[] = {
        {'0', 0x014a, TEST_LONG, .count = 5, .numbers = {8, 8, 8, 8, 8, 8}},
        {'0', 0x010f, TEST_ASCII, .text = "Canon"},
    };
    Buf file = test_exif(tags, ARRAY_LEN(tags), false);
    size_t n = ARRAY_LEN(tags) + 2; /* EXIF's and GPS's besides */
    RawScan scan;

    (void)state;
    memcpy(file.data + 8 + 2 + 12 * n, &(uint32_t){8}, 4); /* the next one is the first */
    raw_scan(buf_str(&file), PHOTO_TYPE_NEF, &scan);
    assert_int_equal(scan.n_previews, 0);
    buf_done(&file);
}

static void check_within(Str file, PhotoType type) {
    RawScan scan;
    PhotoInfo photo = PHOTO_INFO_INIT;

    raw_scan(file, type, &scan);
    assert_true(scan.n_previews <= RAW_PREVIEWS_MAX && scan.orientation <= 8);
    for (size_t i = 0; i < scan.n_previews; i++) {
        assert_true(scan.previews[i].ptr >= file.ptr &&
                    scan.previews[i].ptr + scan.previews[i].len <= file.ptr + file.len);
    }
    exif_read_parts(&scan.exif, &photo);
    assert_true(photo_info_valid(&photo));
}

/* All cuts, exactly as long as they are, so that a sanitizer sees a byte too far; and every byte
 * but those of pictures turned over. */
static void cut_and_damaged(void **state) {
    Buf small = BUF_INIT;
    Buf files[2];
    static const PhotoType types[] = {PHOTO_TYPE_CR3, PHOTO_TYPE_RAF};

    (void)state;
    buf_add(&small, "\xff\xd8\xff\xd9", 4);
    files[0] = test_cr3(&small, &small, 24, 4);
    files[1] = test_raf(&small, NULL);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        for (size_t len = 0; len <= files[i].len; len++) {
            char *exact = malloc(MAX(len, 1u));
            memcpy(exact, files[i].data, len);
            check_within((Str){exact, len}, types[i]);
            check_within((Str){exact, len}, PHOTO_TYPE_ORF);
            free(exact);
        }
        for (size_t at = 0; at < files[i].len; at++) {
            static const uint8_t flips[] = {0xff, 0x80, 0x01, 0x7f};
            for (size_t k = 0; k < ARRAY_LEN(flips); k++) {
                files[i].data[at] = (char)((uint8_t)files[i].data[at] ^ flips[k]);
                check_within(buf_str(&files[i]), types[i]);
                files[i].data[at] = (char)((uint8_t)files[i].data[at] ^ flips[k]);
            }
        }
        buf_done(&files[i]);
    }
    buf_done(&small);
}

/* However the picture itself says that it is turned. */
static void turned_as_the_raw_file_says(void **state) {
    (void)state;
    for (int own = 1; own <= 6; own += 5) {
        for (uint32_t orientation = 1; orientation <= 8; orientation++) {
            Buf file = test_encode(test_photo(300, 200), ".jpg"), turned;
            IngestInput input = {{0}, &test_limits, RENDER_INGEST_DEFAULT};
            IngestOutput output;
            VipsImage *image = NULL, *copy;
            const char *detail;
            vips_jpegload_buffer(file.data, file.len, &image, NULL);
            copy = vips_image_copy_memory(image);
            vips_image_set_int(copy, VIPS_META_ORIENTATION, own);
            turned = test_encode(copy, ".jpg");
            input.bytes = buf_str(&turned);
            input.sides.orientation = orientation;
            assert_int_equal(ingest_photo(&input, &output, &detail), 0);
            assert_int_equal(output.photo.orientation, orientation);
            assert_int_equal(output.mezzanine.width, orientation >= 5 ? 200 : 300);
            assert_int_equal(output.info.width, orientation >= 5 ? 200 : 300);
            ingest_output_done(&output);
            g_object_unref(image);
            buf_done(&turned);
            buf_done(&file);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_of_canon),
        cmocka_unit_test(the_header_of_fuji),
        cmocka_unit_test(directories_without_end),
        cmocka_unit_test(cut_and_damaged),
        cmocka_unit_test(turned_as_the_raw_file_says),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
