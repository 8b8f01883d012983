/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "core/model/photo_type.h"

static void check(Str head, PhotoType type) {
    PhotoType found = photo_type_sniff(head);

    if (found != type) {
        fail_msg("%.*s...: %s, not %s", (int)MIN(head.len, 16u), head.ptr,
                 photo_type_info(found)->name, photo_type_info(type)->name);
    }
}

static void heads_that_say_it_all(void **state) {
    static const struct {
        Str head;
        PhotoType type;
    } cases[] = {
        {str_lit("\xff\xd8\xff\xe1\x12\x34"
                 "Exif"),
         PHOTO_TYPE_JPEG},
        {str_lit("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"), PHOTO_TYPE_PNG},
        {str_lit("RIFF\x10\0\0\0WEBPVP8X"), PHOTO_TYPE_WEBP},
        {str_lit("GIF87a"), PHOTO_TYPE_GIF},
        {str_lit("GIF89a"), PHOTO_TYPE_GIF},
        {str_lit("BM\x36\0\0\0"), PHOTO_TYPE_BMP},
        {str_lit("II*\0\x08\0\0\0"), PHOTO_TYPE_TIFF},
        {str_lit("MM\0*\0\0\0\x08"), PHOTO_TYPE_TIFF},
        {str_lit("II*\0\x10\0\0\0CR\2\0"), PHOTO_TYPE_CR2},
        {str_lit("FUJIFILMCCD-RAW 0201FF383501"), PHOTO_TYPE_RAF},
        {str_lit("IIRO\x08\0\0\0"), PHOTO_TYPE_ORF},
        {str_lit("IIRS\x08\0\0\0"), PHOTO_TYPE_ORF},
        {str_lit("MMOR\0\0\0\x08"), PHOTO_TYPE_ORF},
        {str_lit("IIU\0\x18\0\0\0"), PHOTO_TYPE_RW2},
        {str_lit("\0\0\0\x18"
                 "ftypheic\0\0\0\0mif1heic"),
         PHOTO_TYPE_HEIC},
        {str_lit("\0\0\0\x1c"
                 "ftypmif1\0\0\0\0mif1heix"),
         PHOTO_TYPE_HEIC},
        {str_lit("\0\0\0\x18"
                 "ftypavif\0\0\0\0avifmif1"),
         PHOTO_TYPE_AVIF},
        {str_lit("\0\0\0\x18"
                 "ftypcrx \0\0\0\1crx isom"),
         PHOTO_TYPE_CR3},
        {str_lit("\0\0\0\x14"
                 "ftypqt  \0\0\0\0qt  "),
         PHOTO_TYPE_MOV},
        {str_lit("\0\0\0\x08wide\0\0\0\0mdat"), PHOTO_TYPE_MOV},
        {str_lit("\0\0\0\x20"
                 "ftypisom\0\0\2\0isomiso2avc1mp41"),
         PHOTO_TYPE_MP4},
        {str_lit("\0\0\0\x18"
                 "ftypmp42\0\0\0\0mp42isom"),
         PHOTO_TYPE_MP4},
        {str_lit("\0\0\0\x18"
                 "ftypzzzz\0\0\0\0zzzzmp41"),
         PHOTO_TYPE_MP4},
        /* A picture, though it claims to be a film first. */
        {str_lit("\0\0\0\x1c"
                 "ftypisom\0\0\0\0isomavif"),
         PHOTO_TYPE_AVIF},
        {str_lit("\0\0\0\x18"
                 "ftypM4A \0\0\0\0M4A zzzz"),
         PHOTO_TYPE_UNKNOWN},
        {str_lit("RIFF\x10\0\0\0WAVEfmt "), PHOTO_TYPE_UNKNOWN},
        {str_lit("<svg xmlns='http://www.w3.org/2000/svg'/>"), PHOTO_TYPE_UNKNOWN},
        {str_lit("<?xml version='1.0'?><svg/>"), PHOTO_TYPE_UNKNOWN},
        {str_lit("%PDF-1.7\n"), PHOTO_TYPE_UNKNOWN},
        {str_lit("PK\3\4"), PHOTO_TYPE_UNKNOWN},
        {str_lit("MZ\x90\0"), PHOTO_TYPE_UNKNOWN},
        {str_lit("#!/bin/sh\n"), PHOTO_TYPE_UNKNOWN},
        {str_lit("G"), PHOTO_TYPE_UNKNOWN},
        {{NULL, 0}, PHOTO_TYPE_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(cases[i].head, cases[i].type);
    }
}

static void put(uint8_t *at, uint32_t value, size_t bytes, bool big) {
    for (size_t i = 0; i < bytes; i++) {
        at[big ? bytes - 1 - i : i] = (uint8_t)(value >> 8 * i);
    }
}

/* A first directory at `at`: NewSubfileType, the maker, and one more tag. */
static PhotoType sniff_directory(bool big, uint32_t at, uint32_t subfile, const char *maker,
                                 uint32_t tag, size_t len) {
    static uint8_t head[PHOTO_TYPE_HEAD];
    uint8_t *ifd = head + at;

    memset(head, 0, sizeof(head));
    memcpy(head, big ? "MM\0*" : "II*\0", 5);
    put(head + 4, at, 4, big);
    put(ifd, 3, 2, big);
    put(ifd + 2, 0xfe, 2, big);
    put(ifd + 4, 4, 2, big);
    put(ifd + 6, 1, 4, big);
    put(ifd + 10, subfile, 4, big);
    put(ifd + 14, 0x10f, 2, big);
    put(ifd + 16, 2, 2, big);
    put(ifd + 18, (uint32_t)strlen(maker) + 1, 4, big);
    put(ifd + 22, at + 100, 4, big);
    put(ifd + 26, tag, 2, big);
    put(ifd + 28, tag == 0x106 ? 3 : 4, 2, big);
    put(ifd + 30, 1, 4, big);
    put(ifd + 34, 32803, tag == 0x106 ? 2 : 4, big);
    memcpy(ifd + 100, maker, strlen(maker) + 1);
    return photo_type_sniff((Str){(const char *)head, len});
}

static void raw_files_that_are_tiffs(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        assert_int_equal(sniff_directory(big, 8, 1, "NIKON CORPORATION", 0x14a, 4096),
                         PHOTO_TYPE_NEF);
        assert_int_equal(sniff_directory(big, 8, 1, "SONY", 0x14a, 4096), PHOTO_TYPE_ARW);
        assert_int_equal(sniff_directory(big, 600, 0, "Google", 0xc612, 4096), PHOTO_TYPE_DNG);
        assert_int_equal(sniff_directory(big, 8, 0, "PENTAX Corporation ", 0x106, 4096),
                         PHOTO_TYPE_PEF);
        assert_int_equal(sniff_directory(big, 8, 0, "RICOH IMAGING COMPANY, LTD.", 0x106, 4096),
                         PHOTO_TYPE_PEF);
        assert_int_equal(sniff_directory(big, 8, 0, "PENTAX Corporation ", 0x14a, 4096),
                         PHOTO_TYPE_TIFF);
        /* What people have developed, and what is of another maker. */
        assert_int_equal(sniff_directory(big, 8, 0, "NIKON CORPORATION", 0x100, 4096),
                         PHOTO_TYPE_TIFF);
        assert_int_equal(sniff_directory(big, 8, 1, "Epson", 0x14a, 4096), PHOTO_TYPE_TIFF);
        /* What the head does not reach. */
        assert_int_equal(sniff_directory(big, 8, 1, "SONY", 0x14a, 100), PHOTO_TYPE_TIFF);
        assert_int_equal(sniff_directory(big, 600, 0, "Google", 0xc612, 64), PHOTO_TYPE_TIFF);
    }
}

/* Every cut, exactly as long as it says, so that a sanitizer sees a byte too far. */
static void nothing_beyond_the_head_is_read(void **state) {
    static const Str heads[] = {
        str_lit("\0\0\0\x30"
                "ftypzzzz\0\0\0\0zzzzyyyyxxxxwwwwvvvvuuuu"),
        str_lit("II*\0\x08\0\0\0\xff\xff\xfe\0\4\0\1\0\0\0\1\0\0\0...."),
        str_lit("MM\0*\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff......"),
        str_lit("II*\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff......"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        for (size_t len = 0; len <= heads[i].len; len++) {
            char *exact = malloc(MAX(len, 1u));
            memcpy(exact, heads[i].ptr, len);
            photo_type_sniff((Str){exact, len});
            free(exact);
        }
    }
}

static void every_type_has_names(void **state) {
    (void)state;
    for (PhotoType a = PHOTO_TYPE_UNKNOWN; a < _PHOTO_TYPE_MAX; a++) {
        const PhotoTypeInfo *info = photo_type_info(a);
        assert_true(info->name && strchr(info->media_type, '/') && strlen(info->extension) >= 2);
        for (PhotoType b = PHOTO_TYPE_UNKNOWN; b < a; b++) {
            assert_string_not_equal(info->name, photo_type_info(b)->name);
            assert_string_not_equal(info->media_type, photo_type_info(b)->media_type);
            assert_string_not_equal(info->extension, photo_type_info(b)->extension);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_that_say_it_all),
        cmocka_unit_test(raw_files_that_are_tiffs),
        cmocka_unit_test(nothing_beyond_the_head_is_read),
        cmocka_unit_test(every_type_has_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
