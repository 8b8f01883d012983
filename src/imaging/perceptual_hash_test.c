/* SPDX-License-Identifier: Apache-2.0 */
/* Near-duplicates have near hashes, other photos do not. */
#include "imaging/ingest.h"
#include "imaging/perceptual_hash.h"
#include "imaging/testing.h"

#define PHOTOS 24
#define PIXELS 320
#define BLOBS  14
#define SIGNAL 90

/* A made-up scene: soft spots of light and colour on a ramp, some noise; another for each seed. */
static VipsImage *scene(uint32_t seed) {
    float spots[BLOBS][6];
    uint8_t *rgb = malloc((size_t)PIXELS * PIXELS * 3);
    uint32_t random = seed * 2654435761u + 1;
    VipsImage *borrowed, *owned, *image;

    for (int i = 0; i < BLOBS * 6; i++) {
        random = random * 1664525 + 1013904223;
        spots[i / 6][i % 6] = (float)(random >> 8) / (1 << 24);
    }
    for (int i = 0; i < PIXELS * PIXELS; i++) {
        int row = i / PIXELS;
        float x = (float)(i % PIXELS) / PIXELS, y = (float)row / PIXELS;
        float at[3] = {100 + 40 * x, 110 - 20 * y, 90};
        for (int k = 0; k < BLOBS; k++) {
            const float *s = spots[k];
            float d = ((x - s[0]) * (x - s[0]) + (y - s[1]) * (y - s[1])) /
                      (0.002f + 0.02f * s[2] * s[2]);
            for (int c = 0; c < 3; c++) {
                at[c] += SIGNAL * (s[3 + c] - 0.5f) * 2 * expf(-d);
            }
        }
        for (int c = 0; c < 3; c++) {
            random = random * 1664525 + 1013904223;
            rgb[3 * i + c] = (uint8_t)CLAMP(at[c] + (float)(random >> 28) - 8, 0.0f, 255.0f);
        }
    }
    borrowed = vips_image_new_from_memory_copy(rgb, (size_t)PIXELS * PIXELS * 3, PIXELS, PIXELS, 3,
                                               VIPS_FORMAT_UCHAR);
    vips_copy(borrowed, &owned, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    image = vips_image_copy_memory(owned);
    g_object_unref(owned);
    g_object_unref(borrowed);
    free(rgb);
    return image;
}

/* As it would be ingested; consumes the image. */
static uint64_t hash_of(VipsImage *image, const char *suffix) {
    Buf file = test_encode(image, suffix);
    IngestInput input = {buf_str(&file), &test_limits, RENDER_INGEST_DEFAULT};
    IngestOutput output;
    const char *detail;
    uint64_t hash;

    assert_int_equal(ingest_photo(&input, &output, &detail), 0);
    hash = output.hash;
    ingest_output_done(&output);
    buf_done(&file);
    return hash;
}

static VipsImage *scaled(VipsImage *image, double x, double y) {
    VipsImage *out;

    assert_int_equal(vips_resize(image, &out, x, "vscale", y, NULL), 0);
    g_object_unref(image);
    return out;
}

static VipsImage *brighter(VipsImage *image, double by) {
    VipsImage *linear, *out;

    assert_int_equal(vips_linear1(image, &linear, 1.05, by, NULL), 0);
    assert_int_equal(vips_cast(linear, &out, VIPS_FORMAT_UCHAR, NULL), 0);
    g_object_unref(linear);
    g_object_unref(image);
    return out;
}

static VipsImage *without_colours(VipsImage *image) {
    VipsImage *out;

    assert_int_equal(vips_colourspace(image, &out, VIPS_INTERPRETATION_B_W, NULL), 0);
    g_object_unref(image);
    return out;
}

static void near(uint64_t a, uint64_t b, const char *what) {
    if (!photo_hash_near(a, b)) {
        fail_msg("%s: %u bits differ", what, photo_hash_distance(a, b));
    }
}

static void test_near_duplicates_are_near(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t hash = hash_of(scene(i), ".png");
        near(hash, hash_of(scene(i), ".jpg[Q=40]"), "compressed");
        near(hash, hash_of(scene(i), ".webp[Q=50]"), "another format");
        near(hash, hash_of(scaled(scene(i), 0.25, 0.25), ".jpg"), "small");
        near(hash, hash_of(scaled(scene(i), 7, 7), ".jpg"), "large");
        near(hash, hash_of(scaled(scene(i), 1, 0.9), ".jpg"), "squeezed");
        near(hash, hash_of(brighter(scene(i), 12), ".jpg"), "brighter");
        near(hash, hash_of(brighter(scene(i), -20), ".jpg"), "darker");
        near(hash, hash_of(without_colours(scene(i)), ".jpg"), "grey");
    }
}

static void test_other_photos_are_far(void **state) {
    uint64_t hashes[PHOTOS];
    unsigned sum = 0, pairs = 0;

    (void)state;
    for (uint32_t i = 0; i < PHOTOS; i++) {
        hashes[i] = hash_of(scene(100 + i), ".jpg");
        for (uint32_t j = 0; j < i; j++) {
            unsigned distance = photo_hash_distance(hashes[i], hashes[j]);
            assert_in_range(distance, PHOTO_HASH_NEAR + 4, 64);
            sum += distance;
            pairs++;
        }
    }
    assert_in_range(sum / pairs, 26, 38);
}

static void test_turned_by_its_tag_is_the_same(void **state) {
    VipsImage *shown = scene(1), *turned;
    uint64_t hash = hash_of(scene(1), ".jpg[Q=95]");

    (void)state;
    assert_int_equal(vips_rot(shown, &turned, VIPS_ANGLE_D270, NULL), 0);
    g_object_unref(shown);
    vips_image_set_int(turned, VIPS_META_ORIENTATION, 6);
    near(hash, hash_of(turned, ".jpg[Q=95]"), "turned by its tag");
}

/* Nothing to tell them apart by: they must not all be called duplicates of each other. */
static void test_even_pictures_have_none(void **state) {
    static const int sizes[][2] = {{400, 300}, {1, 1}, {3, 2000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        VipsImage *black, *typed, *grey;
        vips_black(&black, sizes[i][0], sizes[i][1], "bands", 3, NULL);
        vips_copy(black, &typed, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
        grey = brighter(typed, 90);
        g_object_unref(black);
        assert_true(hash_of(grey, ".jpg") == PHOTO_HASH_NONE);
    }
    assert_false(photo_hash_near(PHOTO_HASH_NONE, PHOTO_HASH_NONE));
}

/* Transparent pixels count as white, whatever colour they hide. */
static void test_what_is_transparent_does_not_count(void **state) {
    uint8_t rgb[2][64 * 64 * 3], alpha[64 * 64];
    Picture pictures[2];

    (void)state;
    for (int i = 0; i < 64 * 64; i++) {
        alpha[i] = (i % 64) + (i / 64) < 50 ? 0 : 255;
        for (int c = 0; c < 3; c++) {
            rgb[0][3 * i + c] = (uint8_t)(i % 64 * 3);
            rgb[1][3 * i + c] = alpha[i] ? rgb[0][3 * i + c] : (uint8_t)(i * 7);
        }
    }
    for (int i = 0; i < 2; i++) {
        pictures[i] = (Picture){64, 64, rgb[i], alpha};
    }
    assert_true(perceptual_hash(&pictures[0]) == perceptual_hash(&pictures[1]));
    assert_true(perceptual_hash(&pictures[0]) != PHOTO_HASH_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_duplicates_are_near),
        cmocka_unit_test(test_other_photos_are_far),
        cmocka_unit_test(test_turned_by_its_tag_is_the_same),
        cmocka_unit_test(test_even_pictures_have_none),
        cmocka_unit_test(test_what_is_transparent_does_not_count),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
