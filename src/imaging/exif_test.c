/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/exif.h"
#include "imaging/exif_testing.h"

#include <math.h>

static PhotoInfo read_tags(const TestTag *tags, size_t n) {
    Buf block = test_exif(tags, n, true);
    PhotoInfo info = PHOTO_INFO_INIT;

    exif_read(buf_str(&block), &info);
    assert_true(photo_info_valid(&info));
    buf_done(&block);
    return info;
}

#define READ(...)                                                                                  \
    read_tags((const TestTag[]){__VA_ARGS__},                                                      \
              sizeof((const TestTag[]){__VA_ARGS__}) / sizeof(TestTag))

static void check_phone(Str block) {
    PhotoInfo info = PHOTO_INFO_INIT;

    exif_read(block, &info);
    assert_true(photo_info_valid(&info));
    assert_string_equal(info.taken, "2026-05-17T14:03:09.120");
    assert_true(info.has_taken_offset);
    assert_int_equal(info.taken_offset_min, 120);
    assert_string_equal(info.make, "Apple");
    assert_string_equal(info.model, "iPhone 15 Pro");
    assert_string_equal(info.lens, "back triple camera 6.765mm f/1.78");
    assert_true(fabs(info.exposure_s - 0.008) < 1e-9);
    assert_true(fabs(info.f_number - 1.78) < 1e-9);
    assert_true(fabs(info.focal_length_mm - 6.765) < 1e-9);
    assert_int_equal(info.iso, 64);
    assert_int_equal(info.orientation, 1);
    assert_true(info.has_place && info.has_altitude);
    assert_true(fabs(info.latitude - -33.856667) < 1e-5);
    assert_true(fabs(info.longitude - 151.208333) < 1e-5);
    assert_true(fabs(info.altitude_m - -12.5) < 1e-9);
    assert_string_equal(info.content_id, "");
}

static void test_all_that_a_phone_writes(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        Buf block = test_exif(test_phone_tags, ARRAY_LEN(test_phone_tags), big);
        Buf prefixed = BUF_INIT;
        check_phone(buf_str(&block));
        buf_add(&prefixed, "Exif\0\0", 6);
        buf_add_str(&prefixed, buf_str(&block));
        check_phone(buf_str(&prefixed));
        buf_done(&prefixed);
        buf_done(&block);
    }
}

static void test_what_is_not_said_is_absent(void **state) {
    PhotoInfo info = READ({'0', 0x010f, TEST_ASCII, .text = "Canon"}), untouched = PHOTO_INFO_INIT;

    (void)state;
    assert_string_equal(info.make, "Canon");
    assert_true(info.taken[0] == '\0' && !info.has_taken_offset && !info.has_place);
    assert_true(info.iso == 0 && info.exposure_s == 0 && info.lens[0] == '\0');
    memset(info.make, 0, sizeof(info.make));
    assert_memory_equal(&info, &untouched, sizeof(info));
    exif_read((Str){0}, &info);
    exif_read(str_lit("Exif"), &info);
    exif_read((Str){"Exif\0\0", 6}, &info);
    exif_read(str_lit("nonsense of some length, but no EXIF"), &info);
    assert_memory_equal(&info, &untouched, sizeof(info));
}

static void test_times(void **state) {
    static const struct {
        const char *time, *fraction, *offset;
        const char *taken; /* "": absent */
        int minutes;       /* 9999: absent */
    } cases[] = {
        {"2026:05:17 14:03:09", "", "", "2026-05-17T14:03:09", 9999},
        {"2026-05-17T14:03:09", "5", "-03:30", "2026-05-17T14:03:09.500", -210},
        {"2024:02:29 23:59:59", "123456", "Z", "2024-02-29T23:59:59.123", 0},
        {"1826:06:01 00:00:00", "00 ", "+14:00", "1826-06-01T00:00:00.000", 840},
        {"2026:05:17 14:03:09", "1x", "+14:01", "2026-05-17T14:03:09", 9999},
        {"2026:05:17 14:03:09", "-1", "+2:00", "2026-05-17T14:03:09", 9999},
        {"2026:05:17 14:03:09", "", "   :  ", "2026-05-17T14:03:09", 9999},
        {"2026:05:17 14:03:09", "", "+01:75", "2026-05-17T14:03:09", 9999},
        {"2026:19:17 14:03:09", "12", "+02:00", "", 9999},
        {"2026:02:29 14:03:09", "12", "+02:00", "", 9999},
        {"2100:02:29 14:03:09", "", "", "", 9999},
        {"2026:04:31 14:03:09", "", "", "", 9999},
        {"2026:00:10 14:03:09", "", "", "", 9999},
        {"2026:05:00 14:03:09", "", "", "", 9999},
        {"2026:05:17 24:00:00", "", "", "", 9999},
        {"2026:05:17 14:60:00", "", "", "", 9999},
        {"2026:05:17 14:03:60", "", "", "", 9999},
        {"0000:00:00 00:00:00", "", "", "", 9999},
        {"0000:01:01 00:00:00", "", "", "", 9999},
        {"9999:01:01 00:00:00", "", "", "", 9999},
        {"    :  :     :  :  ", "", "", "", 9999},
        {"2026:05:17", "", "", "", 9999},
        {"2026:05:17 14:03:09+02:00", "", "", "", 9999},
        {"2026:05:17 14.03.09", "", "", "", 9999},
        {"", "", "", "", 9999},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PhotoInfo info = READ({'E', 0x9003, TEST_ASCII, .text = cases[i].time},
                              {'E', 0x9011, TEST_ASCII, .text = cases[i].offset},
                              {'E', 0x9291, TEST_ASCII, .text = cases[i].fraction});
        assert_string_equal(info.taken, cases[i].taken);
        assert_int_equal(info.has_taken_offset, cases[i].minutes != 9999);
        assert_int_equal(info.taken_offset_min, info.has_taken_offset ? cases[i].minutes : 0);
    }
}

/* A scan has no time of taking; what was made up for a missing one is not believed. */
static void test_digitised_when_not_taken(void **state) {
    PhotoInfo info =
        READ({'E', 0x9003, TEST_ASCII, .text = "0000:00:00 00:00:00"},
             {'E', 0x9004, TEST_ASCII, .text = "2003:01:02 03:04:05"},
             {'E', 0x9012, TEST_ASCII, .text = "+01:00"}, {'E', 0x9291, TEST_ASCII, .text = "77"});

    (void)state;
    assert_string_equal(info.taken, "2003-01-02T03:04:05");
    assert_int_equal(info.taken_offset_min, 60);
}

static void test_texts_are_clean(void **state) {
    static char longest[PHOTO_TEXT_MAX + 1], longer[PHOTO_TEXT_MAX + 2], huge[60000];
    static const struct {
        const char *text, *make;
    } cases[] = {
        {"  NIKON CORPORATION  ", "NIKON CORPORATION"},
        {"L\xc3\xa4nge", "L\xc3\xa4nge"},
        {"a\x01\x1b[31mb\x7f\xc2\x85\xe2\x80\xae"
         "c\xe2\x81\xa6",
         "a[31mbc"},
        {"\x01\x02", ""},
        {"   ", ""},
        {"\x01 x \x02", "x"},
        {"L\xe4nge", ""},         /* Latin-1 */
        {"\xc0\xaf\xc0\xae", ""}, /* overlong */
        {"\xed\xa0\x80", ""},     /* half a surrogate pair */
        {"\xf0\x9f\x93", ""},     /* cut off */
        {"\xf0\x9f\x93\xb7", "\xf0\x9f\x93\xb7"},
        {longest, longest},
        {longer, ""},
        {huge, ""},
    };

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    memset(longer, 'a', sizeof(longer) - 1);
    memset(huge, 'a', sizeof(huge) - 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PhotoInfo info = READ({'0', 0x010f, TEST_ASCII, .text = cases[i].text});
        assert_string_equal(info.make, cases[i].make);
    }
    /* No NUL at its end, and one in the middle. */
    assert_string_equal(READ({'0', 0x010f, TEST_ASCII, .text = "Leica Camera", .len = 12}).make,
                        "Leica Camera");
    assert_string_equal(READ({'0', 0x010f, TEST_ASCII, .text = "Leica\0Camera", .len = 12}).make,
                        "Leica");
}

static void test_numbers_that_make_no_sense(void **state) {
    static const uint32_t fractions[][2] = {{1, 0}, {0, 0}, {0, 5}, {4294967295u, 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
        uint32_t a = fractions[i][0], b = fractions[i][1];
        PhotoInfo info = READ({'E', 0x829a, TEST_RATIONAL, .numbers = {a, b}},
                              {'E', 0x829d, TEST_RATIONAL, .numbers = {a, b}},
                              {'E', 0x8827, TEST_LONG, .numbers = {b == 1 ? a : 0}},
                              {'E', 0x920a, TEST_RATIONAL, .numbers = {a, b}});
        assert_true(info.exposure_s == 0 && info.f_number == 0 && info.focal_length_mm == 0);
        assert_int_equal(info.iso, 0);
    }
    /* Of another type than they should be, or fewer than are claimed. */
    assert_true(READ({'E', 0x829a, TEST_ASCII, .text = "1/125"}).exposure_s == 0);
    assert_true(
        READ({'E', 0x829a, TEST_RATIONAL, .count = 0x20000001, .numbers = {1, 125}}).exposure_s ==
        0);
    assert_true(READ({'0', 0x010f, TEST_ASCII, .count = 0xffffffff, .text = "Canon"}).make[0] ==
                '\0');
    assert_true(READ({'0', 0x010f, TEST_SHORT, .count = 3, .numbers = {1, 2, 3}}).make[0] == '\0');
}

#define PLACE(north, lat_degrees, lat_minutes, east, lon_degrees, divisor)                         \
    READ({'G', 0x0001, TEST_ASCII, .text = (north)},                                               \
         {'G', 0x0002, TEST_RATIONAL, .count = 3,                                                  \
          .numbers = {(lat_degrees), (divisor), (lat_minutes), 1, 0, 1}},                          \
         {'G', 0x0003, TEST_ASCII, .text = (east)},                                                \
         {'G', 0x0004, TEST_RATIONAL, .count = 3,                                                  \
          .numbers = {(lon_degrees), (divisor), 0, 1, 0, 1}},                                      \
         {'G', 0x0006, TEST_RATIONAL, .numbers = {4000000000u, 1}})

static void test_places(void **state) {
    PhotoInfo info = PLACE("N", 90, 0, "W", 180, 1);

    (void)state;
    assert_true(info.has_place && info.latitude == 90 && info.longitude == -180);
    assert_false(info.has_altitude); /* beyond the moon, nearly */
    assert_false(PLACE("N", 90, 1, "W", 1, 1).has_place);
    assert_false(PLACE("N", 91, 0, "W", 1, 1).has_place);
    assert_false(PLACE("N", 10, 0, "E", 181, 1).has_place);
    assert_false(PLACE("N", 10, 60, "E", 1, 1).has_place);
    assert_false(PLACE("N", 4294967295u, 0, "E", 1, 1).has_place);
    assert_false(PLACE("X", 10, 0, "E", 1, 1).has_place);
    assert_false(PLACE("", 10, 0, "E", 1, 1).has_place);
    assert_false(PLACE("N", 10, 0, "N", 1, 1).has_place);
    assert_false(PLACE("N", 0, 0, "E", 0, 1).has_place); /* what stands for "I don't know" */
    assert_false(PLACE("N", 10, 0, "E", 20, 0).has_place);
    assert_false(READ({'G', 0x0001, TEST_ASCII, .text = "N"},
                      {'G', 0x0002, TEST_RATIONAL, .numbers = {10, 1}})
                     .has_place);
}

/* The notes of Apple's cameras: a directory of their own, at the end of a head of 14 bytes. */
static Buf apple_notes(const char *content_id) {
    Buf notes = BUF_INIT;

    buf_add(&notes, "Apple iOS\0\0\1MM", 14);
    test_put(&notes, 2, 2, true);
    test_put(&notes, 0x0001, 2, true);
    test_put(&notes, 9, 2, true);
    test_put(&notes, 1, 4, true);
    test_put(&notes, 14, 4, true);
    test_put(&notes, 0x0011, 2, true);
    test_put(&notes, TEST_ASCII, 2, true);
    test_put(&notes, (uint32_t)strlen(content_id) + 1, 4, true);
    test_put(&notes, 44, 4, true);
    test_put(&notes, 0, 4, true);
    buf_add(&notes, content_id, strlen(content_id) + 1);
    return notes;
}

static void test_content_identifier(void **state) {
    static const char id[] = "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9";
    static const struct {
        const char *make, *said, *found;
    } cases[] = {{"Apple", id, id},
                 {"Apple", "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F", ""},
                 {"Apple", "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8FG", ""},
                 {"Apple", "'; DROP TABLE photos; --------------", ""},
                 {"Apple", "", ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf notes = apple_notes(cases[i].said);
        PhotoInfo info = READ({'0', 0x010f, TEST_ASCII, .text = cases[i].make},
                              {'E', 0x927c, TEST_UNDEFINED, .text = notes.data, .len = notes.len});
        assert_string_equal(info.content_id, cases[i].found);
        buf_done(&notes);
    }
}

static PhotoInfo read_notes(const char *notes, size_t len) {
    return READ({'0', 0x010f, TEST_ASCII, .text = "Apple"},
                {'E', 0x927c, TEST_UNDEFINED, .text = notes, .len = len});
}

/* Numbers in Apple's notes that point beyond them, and notes that are cut off. */
static void test_notes_that_lie(void **state) {
    static const uint32_t lies[] = {81, 82, 0x7fffffff, 0xffffffdb, 0xffffffff};
    Buf notes = apple_notes("0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9");

    (void)state;
    for (size_t len = 1; len < notes.len - 1; len++) {
        assert_string_equal(read_notes(notes.data, len).content_id, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        /* How long it is, and where, in the second of the entries, which begin at 16. */
        for (size_t at = 16 + 12 + 4; at <= 16 + 12 + 8; at += 4) {
            Buf lie = BUF_INIT, number = BUF_INIT;
            test_put(&number, lies[i], 4, true);
            buf_add_str(&lie, buf_str(&notes));
            memcpy(lie.data + at, number.data, 4);
            assert_string_equal(read_notes(lie.data, lie.len).content_id, "");
            buf_done(&number);
            buf_done(&lie);
        }
    }
    memcpy(notes.data + 14, "\xff\xff", 2); /* more entries than there are: the second is the one */
    assert_int_equal(strlen(read_notes(notes.data, notes.len).content_id), PHOTO_CONTENT_ID_MAX);
    buf_done(&notes);
}

/* Directories that point at themselves and each other, counts without end, cuts everywhere. */
static void test_broken_blocks_break_nothing(void **state) {
    Buf block = test_exif(test_phone_tags, ARRAY_LEN(test_phone_tags), false);
    uint32_t random = 1;

    (void)state;
    for (size_t len = 0; len <= block.len; len++) {
        char *exact = malloc(MAX(len, 1u)); /* so that a sanitizer sees a byte too far */
        PhotoInfo info = PHOTO_INFO_INIT;
        memcpy(exact, block.data, len);
        exif_read((Str){exact, len}, &info);
        assert_true(photo_info_valid(&info));
        free(exact);
    }
    for (int round = 0; round < 20000; round++) {
        PhotoInfo info = PHOTO_INFO_INIT;
        Buf broken = BUF_INIT;
        buf_add_str(&broken, buf_str(&block));
        for (int i = 0; i < 1 + round % 8; i++) {
            static const uint8_t bytes[] = {0, 1, 8, 0x7f, 0x80, 0xff, 0xfe, 0x20};
            random = random * 1664525 + 1013904223;
            broken.data[4 + (random >> 8) % (broken.len - 4)] = (char)bytes[random >> 29];
        }
        exif_read(buf_str(&broken), &info);
        assert_true(photo_info_valid(&info));
        buf_done(&broken);
    }
    /* EXIF's directory, and the next one, is the main one again. */
    memcpy(block.data + 42, &(uint32_t){8}, 4);
    memcpy(block.data + 58, &(uint32_t){8}, 4);
    exif_read(buf_str(&block), &(PhotoInfo){.orientation = 1});
    buf_done(&block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_a_phone_writes),
        cmocka_unit_test(test_what_is_not_said_is_absent),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_digitised_when_not_taken),
        cmocka_unit_test(test_texts_are_clean),
        cmocka_unit_test(test_numbers_that_make_no_sense),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_content_identifier),
        cmocka_unit_test(test_notes_that_lie),
        cmocka_unit_test(test_broken_blocks_break_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
