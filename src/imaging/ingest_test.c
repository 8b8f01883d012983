/* SPDX-License-Identifier: Apache-2.0 */
/* Photos in; what is known of them, and two renditions, out. */
#include "imaging/exif_testing.h"
#include "imaging/ingest.h"
#include "imaging/testing.h"

static int try(const Buf *file, RenderIngest sides, IngestOutput *ret_output) {
    IngestInput input = {buf_str(file), &test_limits, sides};
    const char *detail = NULL;
    int r = ingest_photo(&input, ret_output, &detail);

    assert_non_null(detail);
    if (r > 0) {
        assert_true(strlen(detail) > 0);
    }
    return r;
}

/* Ingests and ends the file. */
static IngestOutput ingest(Buf file) {
    IngestOutput output;

    assert_int_equal(try(&file, RENDER_INGEST_DEFAULT, &output), 0);
    assert_true(photo_info_valid(&output.photo));
    buf_done(&file);
    return output;
}

static Str bytes_of(const IngestFile *file) {
    return (Str){file->encoded.bytes, file->encoded.len};
}

/* A rendition as pixels, which are as it says. */
static Picture decode(const IngestFile *file) {
    const char *detail;
    ImageInfo info;
    Picture picture;

    assert_int_equal(image_probe(bytes_of(file), &test_limits, &info, &detail), 0);
    assert_int_equal(info.format,
                     file->format == OUTPUT_FORMAT_WEBP ? IMAGE_FORMAT_WEBP : IMAGE_FORMAT_JPEG);
    assert_int_equal(info.width, file->width);
    assert_int_equal(info.height, file->height);
    assert_int_equal(decode_picture(bytes_of(file), &info, 0, &picture, &detail), 0);
    return picture;
}

static void check_marked(const IngestFile *file) {
    Picture picture = decode(file);
    uint32_t right = picture.width - 3, bottom = picture.height - 3;

    test_near(test_rgb(&picture, 2, 2), 250, 10, 10, 12);
    test_near(test_rgb(&picture, right, 2), 0, 0, 0, 12);
    test_near(test_rgb(&picture, 2, bottom), 0, 0, 0, 12);
    test_near(test_rgb(&picture, right, bottom), 0, 0, 0, 12);
    picture_done(&picture);
}

static void test_both_are_upright(void **state) {
    static const char *const suffixes[] = {".jpg", ".webp", ".tif"};

    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        IngestOutput output =
            ingest(test_encode(test_marked(2600, 1300, orientation), ".jpg[Q=90]"));
        assert_int_equal(output.photo.orientation, orientation);
        assert_int_equal(output.info.width, 2600);
        assert_int_equal(output.mezzanine.width, 2048);
        assert_int_equal(output.mezzanine.height, 1024);
        assert_int_equal(output.thumbnail.width, 512);
        assert_int_equal(output.thumbnail.height, 256);
        check_marked(&output.mezzanine);
        check_marked(&output.thumbnail);
        ingest_output_done(&output);
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        IngestOutput output = ingest(test_encode(test_marked(300, 600, 6), suffixes[i]));
        assert_int_equal(output.mezzanine.width, 300);
        check_marked(&output.mezzanine);
        check_marked(&output.thumbnail);
        ingest_output_done(&output);
    }
}

static void test_sizes(void **state) {
    static const struct {
        int width, height;
        uint32_t mezzanine_width, mezzanine_height, thumbnail_width, thumbnail_height;
        const char *suffix;
    } cases[] = {
        {4032, 3024, 2016, 1512, 512, 384, ".jpg"}, /* a half is near enough */
        {3024, 4032, 1512, 2016, 384, 512, ".jpg"},
        {4032, 3024, 2016, 1512, 512, 384, ".webp"},
        {4032, 3024, 2016, 1512, 512, 384, ".png"},
        {4096, 3072, 2048, 1536, 512, 384, ".jpg"},
        {3000, 2000, 2048, 1365, 512, 341, ".jpg"}, /* a half is not */
        {2049, 1000, 2048, 1000, 512, 250, ".jpg"},
        {2048, 1000, 2048, 1000, 512, 250, ".jpg"},
        {640, 480, 640, 480, 512, 384, ".jpg"},
        {300, 200, 300, 200, 300, 200, ".jpg"}, /* never scaled up */
        {1, 1, 1, 1, 1, 1, ".png"},
        {5000, 1, 2048, 1, 512, 1, ".jpg"},
        {1, 5000, 1, 2048, 1, 512, ".webp"},
        {3, 5000, 1, 2048, 1, 512, ".png"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        IngestOutput output =
            ingest(test_encode(test_photo(cases[i].width, cases[i].height), cases[i].suffix));
        const IngestFile *files[] = {&output.mezzanine, &output.thumbnail};
        assert_int_equal(output.info.width, cases[i].width);
        assert_int_equal(output.mezzanine.width, cases[i].mezzanine_width);
        assert_int_equal(output.mezzanine.height, cases[i].mezzanine_height);
        assert_int_equal(output.thumbnail.width, cases[i].thumbnail_width);
        assert_int_equal(output.thumbnail.height, cases[i].thumbnail_height);
        for (size_t k = 0; k < ARRAY_LEN(files); k++) {
            Picture picture = decode(files[k]);
            if (picture.width > 100 && picture.height > 100) {
                test_near(test_rgb(&picture, picture.width / 2, picture.height / 2), 230, 120, 30,
                          8);
            }
            picture_done(&picture);
        }
        ingest_output_done(&output);
    }
}

static void test_sides_are_the_jobs(void **state) {
    Buf file = test_encode(test_photo(800, 400), ".png");
    IngestOutput output;

    (void)state;
    assert_int_equal(try(&file, (RenderIngest){100, 20}, &output), 0);
    assert_true(output.mezzanine.width == 100 && output.thumbnail.width == 20);
    ingest_output_done(&output);
    assert_int_equal(try(&file, (RenderIngest){1, 4096}, &output), 0);
    assert_true(output.mezzanine.width == 1 && output.thumbnail.width == 1);
    ingest_output_done(&output);
    buf_done(&file);
}

static VipsImage *with_alpha(double value) {
    VipsImage *photo = test_photo(700, 500), *both, *typed, *flat;

    vips_bandjoin_const1(photo, &both, value, NULL);
    vips_copy(both, &typed, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    flat = vips_image_copy_memory(typed);
    g_object_unref(typed);
    g_object_unref(both);
    g_object_unref(photo);
    return flat;
}

static void test_alpha_is_kept_when_there_is_any(void **state) {
    static const char *const suffixes[] = {".png", ".webp", ".tif"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        IngestOutput output = ingest(test_encode(with_alpha(100), suffixes[i]));
        Picture picture = decode(&output.thumbnail);
        assert_int_equal(output.mezzanine.format, OUTPUT_FORMAT_WEBP);
        assert_int_equal(output.thumbnail.format, OUTPUT_FORMAT_WEBP);
        assert_non_null(picture.alpha);
        assert_in_range(picture.alpha[picture.width * 10 + 10], 99, 101);
        picture_done(&picture);
        ingest_output_done(&output);
        output = ingest(test_encode(with_alpha(255), suffixes[i]));
        assert_int_equal(output.mezzanine.format, OUTPUT_FORMAT_JPEG);
        ingest_output_done(&output);
    }
}

static bool contains(Str bytes, const char *what, size_t len) {
    return memmem(bytes.ptr, bytes.len, what, len) != NULL;
}

static void test_nothing_of_the_metadata_goes_along(void **state) {
    VipsImage *photo = test_photo(900, 600);
    Buf exif = test_exif(test_phone_tags, ARRAY_LEN(test_phone_tags), true), file;
    IngestOutput output;

    (void)state;
    vips_image_set_blob_copy(photo, VIPS_META_XMP_NAME, "<x:xmpmeta>secret", 17);
    file = test_encode(photo, ".jpg");
    test_add_exif(&file, &exif);
    assert_true(contains(buf_str(&file), "iPhone", 6) && contains(buf_str(&file), "secret", 6));
    output = ingest(file);
    for (int i = 0; i < 2; i++) {
        Str bytes = bytes_of(i == 0 ? &output.mezzanine : &output.thumbnail);
        assert_false(contains(bytes, "iPhone", 6) || contains(bytes, "secret", 6));
        assert_false(contains(bytes, "Exif\0", 5) || contains(bytes, "ICC_PROFILE", 11));
    }
    ingest_output_done(&output);
    buf_done(&exif);
}

/* Colours of print come out as those of a screen. */
static void test_colours_become_srgb(void **state) {
    VipsImage *photo = test_photo(400, 300), *cmyk;
    IngestOutput output;
    Picture picture;

    (void)state;
    assert_int_equal(vips_icc_transform(photo, &cmyk, "cmyk", "input_profile", "srgb", NULL), 0);
    g_object_unref(photo);
    output = ingest(test_encode(cmyk, ".jpg[Q=95]"));
    picture = decode(&output.thumbnail);
    test_near(test_rgb(&picture, 200, 150), 230, 120, 30, 25);
    picture_done(&picture);
    ingest_output_done(&output);
}

static void check_phone(const PhotoInfo *photo) {
    assert_string_equal(photo->model, "iPhone 15 Pro");
    assert_string_equal(photo->taken, "2026-05-17T14:03:09.120");
    assert_int_equal(photo->iso, 64);
    assert_true(photo->has_place && photo->latitude < -33);
}

static void test_metadata_of_a_jpeg(void **state) {
    Buf exif = test_exif(test_phone_tags, ARRAY_LEN(test_phone_tags), false);
    Buf file = test_encode(test_photo(640, 480), ".jpg[strip]");
    IngestOutput output;

    (void)state;
    test_add_exif(&file, &exif);
    output = ingest(file);
    check_phone(&output.photo);
    assert_int_equal(output.info.format, IMAGE_FORMAT_JPEG);
    ingest_output_done(&output);
    buf_done(&exif);
}

/* A TIFF holds its tags itself, and so does a file that is nothing but a block with a strip. */
static void test_metadata_of_a_tiff(void **state) {
    static const TestTag picture[] = {
        {'0', 0x0100, TEST_SHORT, .numbers = {2}},
        {'0', 0x0101, TEST_SHORT, .numbers = {2}},
        {'0', 0x0102, TEST_SHORT, .numbers = {8}},
        {'0', 0x0103, TEST_SHORT, .numbers = {1}},
        {'0', 0x0106, TEST_SHORT, .numbers = {1}},
        {'0', 0x010f, TEST_ASCII, .text = "Epson"},
        {'0', 0x0110, TEST_ASCII, .text = "V600"},
        {'0', 0x0111, TEST_LONG, .numbers = {4}},
        {'0', 0x0112, TEST_SHORT, .numbers = {1}},
        {'0', 0x0115, TEST_SHORT, .numbers = {1}},
        {'0', 0x0116, TEST_SHORT, .numbers = {2}},
        {'0', 0x0117, TEST_LONG, .numbers = {4}},
        {'E', 0x9004, TEST_ASCII, .text = "2003:01:02 03:04:05"},
    };
    Buf file = test_exif(picture, ARRAY_LEN(picture), false);
    IngestOutput output = ingest(file);

    (void)state;
    assert_int_equal(output.info.format, IMAGE_FORMAT_TIFF);
    assert_int_equal(output.mezzanine.width, 2);
    assert_string_equal(output.photo.make, "Epson");
    assert_string_equal(output.photo.model, "V600");
    assert_string_equal(output.photo.taken, "2003-01-02T03:04:05");
    ingest_output_done(&output);
}

static void test_what_cannot_be_read(void **state) {
    Buf file = test_encode(test_photo(640, 480), ".jpg"), raw = BUF_INIT;
    IngestOutput output;

    (void)state;
    file.len = file.len / 2;
    assert_int_equal(try(&file, RENDER_INGEST_DEFAULT, &output), RENDER_UNREADABLE);
    file.len = 100;
    assert_int_equal(try(&file, RENDER_INGEST_DEFAULT, &output), RENDER_UNREADABLE);
    file.len = 0;
    assert_int_equal(try(&file, RENDER_INGEST_DEFAULT, &output), RENDER_UNSUPPORTED);
    buf_add(&raw, "FUJIFILMCCD-RAW 0201FF383501", 28);
    assert_int_equal(try(&raw, RENDER_INGEST_DEFAULT, &output), RENDER_UNSUPPORTED);
    buf_done(&raw);
    buf_add(&raw,
            "\0\0\0\x14"
            "ftypqt  \0\0\0\0qt  ",
            20);
    assert_int_equal(try(&raw, RENDER_INGEST_DEFAULT, &output), RENDER_UNSUPPORTED);
    buf_done(&raw);
    buf_done(&file);
    file = test_encode(test_photo(20001, 2), ".png");
    assert_int_equal(try(&file, RENDER_INGEST_DEFAULT, &output), RENDER_TOO_LARGE);
    buf_done(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_are_upright),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_sides_are_the_jobs),
        cmocka_unit_test(test_alpha_is_kept_when_there_is_any),
        cmocka_unit_test(test_nothing_of_the_metadata_goes_along),
        cmocka_unit_test(test_colours_become_srgb),
        cmocka_unit_test(test_metadata_of_a_jpeg),
        cmocka_unit_test(test_metadata_of_a_tiff),
        cmocka_unit_test(test_what_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
