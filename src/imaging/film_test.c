/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/film.h"
#include "imaging/film_testing.h"
#include "imaging/metadata.h"

#include <math.h>

static void what_a_phone_writes(void **state) {
    Buf bytes = test_film();
    PhotoInfo photo;
    FilmInfo film;

    (void)state;
    assert_int_equal(film_read(buf_str(&bytes), &film, &photo), 0);
    assert_true(photo_info_valid(&photo));
    assert_int_equal(film.width, 1440);
    assert_int_equal(film.height, 1920);
    assert_int_equal(film.duration_ms, 2345);
    assert_string_equal(photo.taken, "2026-05-17T14:03:09");
    assert_true(photo.has_taken_offset && photo.taken_offset_min == 120);
    assert_string_equal(photo.make, "Apple");
    assert_string_equal(photo.model, "iPhone 15 Pro");
    assert_string_equal(photo.content_id, TEST_FILM_ID);
    assert_true(photo.has_place && photo.has_altitude);
    assert_true(fabs(photo.latitude - -33.8567) < 1e-9 && fabs(photo.longitude - 151.2083) < 1e-9);
    assert_true(fabs(photo.altitude_m - -12.5) < 1e-9);
    buf_done(&bytes);
}

/* A film of that head and what is added, from the box "moov" on. */
static int read_moov(Buf *moov, size_t at, FilmInfo *film, PhotoInfo *photo) {
    int r;

    test_end_box(moov, at);
    r = film_read(buf_str(moov), film, photo);
    assert_true(r != 0 || photo_info_valid(photo));
    buf_done(moov);
    return r;
}

static void the_head_knows_the_time_in_utc(void **state) {
    static const struct {
        bool wide;
        uint64_t created;
        const char *taken;
    } cases[] = {
        {false, 2082844800ULL + 1779019389, "2026-05-17T12:03:09"},
        {true, 2082844800ULL + 1779019389, "2026-05-17T12:03:09"},
        {false, 0, ""},
        {true, UINT64_MAX, ""},
        {false, 2082844800ULL, ""}, /* a clock that was never set */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf moov = BUF_INIT;
        size_t at = test_begin_box(&moov, "moov");
        PhotoInfo photo;
        FilmInfo film;
        test_film_head(&moov, cases[i].wide, cases[i].created, 61000);
        assert_int_equal(read_moov(&moov, at, &film, &photo), 0);
        assert_string_equal(photo.taken, cases[i].taken);
        assert_int_equal(photo.has_taken_offset, cases[i].taken[0] != '\0');
        assert_int_equal(photo.taken_offset_min, 0);
        assert_int_equal(film.duration_ms, 61000);
        assert_int_equal(film.width, 0);
    }
}

/* Texts of which the reader makes what is on their right. */
static void what_makes_no_sense_is_absent(void **state) {
    static const struct {
        const char *place;
        double latitude, longitude; /* 0: absent */
        bool has_altitude;
    } cases[] = {
        {"+47.3500+008.5500/", 47.35, 8.55, false},
        {"+47.3500+008.5500+432.1CRSWGS_84/", 47.35, 8.55, true},
        {"+00+000/", 0, 0, false},
        {"+4721.5+00833.1/", 0, 0, false}, /* degrees and minutes: not read */
        {"+91.0000+008.5500/", 0, 0, false},
        {"47.3500+008.5500/", 0, 0, false},
        {"+47.3500", 0, 0, false},
        {"", 0, 0, false},
        {"+47.3.500+008.5500/", 0, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const texts[] = {"com.apple.quicktime.location.ISO6709",
                                     cases[i].place,
                                     "com.apple.quicktime.content.identifier",
                                     "../../etc/passwd",
                                     "com.apple.quicktime.creationdate",
                                     "2026-02-30T14:03:09+0200",
                                     "com.apple.quicktime.model",
                                     "\xff\xfe",
                                     NULL};
        Buf moov = BUF_INIT;
        size_t at = test_begin_box(&moov, "moov");
        PhotoInfo photo;
        FilmInfo film;
        test_film_head(&moov, false, 0, 0xffffffff);
        test_film_meta(&moov, i % 2, texts);
        assert_int_equal(read_moov(&moov, at, &film, &photo), 0);
        assert_int_equal(photo.has_place, cases[i].latitude != 0);
        assert_int_equal(photo.has_altitude, cases[i].has_altitude);
        assert_true(!photo.has_place || (fabs(photo.latitude - cases[i].latitude) < 1e-9 &&
                                         fabs(photo.longitude - cases[i].longitude) < 1e-9));
        assert_true(!photo.content_id[0] && !photo.taken[0] && !photo.model[0]);
        assert_int_equal(film.duration_ms, 0);
    }
}

/* QuickTime's user data, as other phones write it; the largest picture counts. */
static void user_data_and_tracks(void **state) {
    Buf moov = BUF_INIT;
    size_t at = test_begin_box(&moov, "moov"), udta, box;
    PhotoInfo photo;
    FilmInfo film;

    (void)state;
    test_film_head(&moov, true, 0, 5000);
    test_film_track(&moov, "vide", 160, 120, false);
    test_film_track(&moov, "vide", 3840, 2160, false);
    test_film_track(&moov, "meta", 9999, 9999, false);
    udta = test_begin_box(&moov, "udta");
    box = test_begin_box(&moov, "\xa9xyz");
    buf_add(&moov, "\0\x12\x15\xc7+47.3500+008.5500/", 22);
    test_end_box(&moov, box);
    box = test_begin_box(&moov, "\xa9mod");
    buf_add(&moov, "\xff\xff\0\0Pixel", 9); /* says that it is longer than it is */
    test_end_box(&moov, box);
    test_end_box(&moov, udta);
    assert_int_equal(read_moov(&moov, at, &film, &photo), 0);
    assert_int_equal(film.width, 3840);
    assert_int_equal(film.height, 2160);
    assert_true(photo.has_place && fabs(photo.latitude - 47.35) < 1e-9);
    assert_string_equal(photo.model, "Pixel");
}

/* However it is cut, nothing beyond it is read (the sanitizers see to that), and what comes out is
 * of use or nothing. */
static void cut_and_damaged(void **state) {
    Buf bytes = test_film();
    PhotoInfo photo;
    FilmInfo film;

    (void)state;
    for (size_t n = 0; n < bytes.len; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, bytes.data, n);
        assert_int_equal(film_read((Str){copy, n}, &film, &photo), FILM_E_BROKEN);
        free(copy);
    }
    for (size_t n = 0; n < bytes.len; n++) {
        bytes.data[n] = (char)~bytes.data[n];
        if (film_read(buf_str(&bytes), &film, &photo) == 0) {
            assert_true(photo_info_valid(&photo));
            assert_true(film.width <= FILM_SIDE_MAX && film.duration_ms <= FILM_DURATION_MAX);
        }
        bytes.data[n] = (char)~bytes.data[n];
    }
    buf_done(&bytes);
}

static void other_files(void **state) {
    const char *detail;
    Metadata metadata;
    Buf bytes = test_film();

    (void)state;
    assert_int_equal(metadata_read(buf_str(&bytes), &metadata, &detail), 0);
    assert_int_equal(metadata_read((Str){bytes.data, 40}, &metadata, &detail), RENDER_UNREADABLE);
    assert_int_equal(metadata_read(str_lit("\xff\xd8\xff\xe0"), &metadata, &detail),
                     RENDER_UNSUPPORTED);
    assert_int_equal(metadata_read(str_lit("FUJIFILMCCD-RAW 0201"), &metadata, &detail), 0);
    assert_true(metadata.film.width == 0 && !metadata.photo.taken[0]);
    assert_true(metadata.raw.width == 0 && metadata.raw.preview_len == 0);
    buf_done(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_phone_writes),
        cmocka_unit_test(the_head_knows_the_time_in_utc),
        cmocka_unit_test(what_makes_no_sense_is_absent),
        cmocka_unit_test(user_data_and_tracks),
        cmocka_unit_test(cut_and_damaged),
        cmocka_unit_test(other_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
