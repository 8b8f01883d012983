/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/cutout.h"
#include "imaging/edge_band.h"
#include "imaging/foreground.h"
#include "imaging/guided_filter.h"
#include "imaging/inside.h"
#include "imaging/soft.h"
#include "imaging/solid.h"
#include "imaging/subject_box.h"
#include "imaging/testing.h"

#define SIDE   256
#define PIXELS ((size_t)SIDE * SIDE)

/* A composite whose parts are known: a wavy, soft-edged red blob on a green and blue pattern. */
typedef struct Scene {
    uint8_t fore[PIXELS * 3], rgb[PIXELS * 3];
    float alpha[PIXELS], blurred[PIXELS];
} Scene;

static float true_alpha(uint32_t x, uint32_t y) {
    float u = (float)x - SIDE / 2, v = (float)y - SIDE / 2;
    float radius = 80 + 8 * sinf(9 * atan2f(v, u)), edge = radius - sqrtf(u * u + v * v);

    return CLAMP(edge / 2 + 0.5f, 0.0f, 1.0f);
}

static Scene *scene_new(void) {
    Scene *s = calloc(1, sizeof(Scene));
    Soft soft;

    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            size_t i = (size_t)y * SIDE + x;
            uint8_t back[3] = {30, (uint8_t)(140 + x / 4), (uint8_t)(200 - y / 4)};
            uint8_t fore[3] = {(uint8_t)(200 + x / 8), (uint8_t)(40 + y / 8), 30};
            s->alpha[i] = true_alpha(x, y);
            memcpy(s->fore + 3 * i, fore, 3);
            for (size_t c = 0; c < 3; c++) {
                s->rgb[3 * i + c] = (uint8_t)(s->alpha[i] * (float)fore[c] +
                                              (1 - s->alpha[i]) * (float)back[c] + 0.5f);
            }
        }
    }
    assert_int_equal(soft_new(SIDE, SIDE, &soft), 0);
    for (size_t i = 0; i < PIXELS; i++) {
        soft.pixels[i] = vec4_splat(s->alpha[i]);
    }
    assert_int_equal(soft_blur(&soft, 2.5), 0);
    for (size_t i = 0; i < PIXELS; i++) {
        s->blurred[i] = soft.pixels[i][0];
    }
    soft_done(&soft);
    return s;
}

static Picture scene_cut(const Scene *s, const Cutout *cutout) {
    Picture picture = {.width = SIDE, .height = SIDE, .rgb = malloc(PIXELS * 3)};
    Rect region = {0, 0, SIDE, SIDE};

    memcpy(picture.rgb, s->rgb, PIXELS * 3);
    assert_int_equal(cutout_apply(cutout, &region, &picture), 0);
    return picture;
}

static void test_refined_matte_is_nearer_to_the_truth(void **state) {
    Scene *s = scene_new();
    double before = 0, after = 0;
    Cutout cutout;
    Picture picture;

    (void)state;
    assert_int_equal(cutout_analyse(s->rgb, s->blurred, SIDE, SIDE, false, &cutout), 0);
    picture = scene_cut(s, &cutout);
    for (size_t i = 0; i < PIXELS; i++) {
        before += fabsf(s->blurred[i] - s->alpha[i]);
        after += fabsf((float)picture.alpha[i] / 255 - s->alpha[i]);
    }
    print_message("mean alpha error %.5f, was %.5f\n", after / PIXELS, before / PIXELS);
    assert_true(after < before * 0.45);
    picture_done(&picture);
    cutout_done(&cutout);
    free(s);
}

/* What the eye sees on a new background: there must be no halo of the old one. */
static void test_no_halo_on_a_new_background(void **state) {
    Scene *s = scene_new();
    double ours = 0, plain = 0;
    Cutout cutout;
    Picture picture;
    size_t mixed = 0;

    (void)state;
    assert_int_equal(cutout_analyse(s->rgb, s->alpha, SIDE, SIDE, false, &cutout), 0);
    picture = scene_cut(s, &cutout);
    for (size_t i = 0; i < PIXELS; i++) {
        float a = (float)picture.alpha[i] / 255;
        if (s->alpha[i] <= 0 || s->alpha[i] >= 1) {
            continue;
        }
        mixed++;
        for (size_t c = 0; c < 3; c++) { /* on black */
            double truth = s->alpha[i] * (float)s->fore[3 * i + c];
            ours += fabs(a * (float)picture.rgb[3 * i + c] - truth);
            plain += fabs(s->alpha[i] * (float)s->rgb[3 * i + c] - truth);
        }
    }
    print_message("mean colour error at the edge %.1f, was %.1f\n", ours / (double)(3 * mixed),
                  plain / (double)(3 * mixed));
    assert_true(ours < plain / 2);
    assert_true(ours / (double)(3 * mixed) < 10);
    picture_done(&picture);
    cutout_done(&cutout);
    free(s);
}

static void test_known_layers_are_found(void **state) {
    Scene *s = scene_new();
    uint8_t *rgba = malloc(PIXELS * 4), *layers = malloc(PIXELS * FOREGROUND_LAYERS);
    double error = 0;
    size_t mixed = 0;

    (void)state;
    for (size_t i = 0; i < PIXELS; i++) {
        memcpy(rgba + 4 * i, s->rgb + 3 * i, 3);
        rgba[4 * i + 3] = (uint8_t)(s->alpha[i] * 255 + 0.5f);
    }
    assert_int_equal(foreground_estimate(rgba, SIDE, SIDE, layers), 0);
    for (size_t i = 0; i < PIXELS; i++) {
        if (rgba[4 * i + 3] == 255) {
            assert_memory_equal(layers + FOREGROUND_LAYERS * i, s->rgb + 3 * i, 3);
        } else if (rgba[4 * i + 3] > 25) {
            mixed++;
            for (size_t c = 0; c < 3; c++) {
                error += abs(layers[FOREGROUND_LAYERS * i + c] - s->fore[3 * i + c]);
            }
        }
    }
    print_message("mean error of F %.2f\n", error / (double)(3 * mixed));
    assert_true(error / (double)(3 * mixed) < 6);
    free(rgba);
    free(layers);
    free(s);
}

static void test_constant_matte_stays_constant(void **state) {
    static const GuidedFilter filter = {6, 1e-4f};
    Scene *s = scene_new();
    uint8_t *matte = malloc(PIXELS), *band = malloc(PIXELS), *alpha = malloc(PIXELS);
    Vec4 *coefficients = calloc(PIXELS, sizeof(Vec4));

    (void)state;
    memset(matte, 128, PIXELS);
    memset(band, BAND_EDGE, PIXELS);
    assert_int_equal(
        guided_filter_fit(&filter, s->rgb, matte, band, SIDE, SIDE, coefficients, alpha), 0);
    for (size_t i = 0; i < PIXELS; i++) {
        assert_in_range(alpha[i], 127, 129);
    }
    free(matte);
    free(band);
    free(alpha);
    free(coefficients);
    free(s);
}

static void test_sure_areas_stay_exactly_sure(void **state) {
    Scene *s = scene_new();
    Cutout cutout;
    Picture picture;

    (void)state;
    assert_int_equal(cutout_analyse(s->rgb, s->alpha, SIDE, SIDE, false, &cutout), 0);
    picture = scene_cut(s, &cutout);
    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            float distance = hypotf((float)x - SIDE / 2, (float)y - SIDE / 2);
            if (distance < 60) {
                assert_int_equal(picture.alpha[y * SIDE + x], 255);
            } else if (distance > 100) {
                assert_int_equal(picture.alpha[y * SIDE + x], 0);
            }
        }
    }
    picture_done(&picture);
    cutout_done(&cutout);
    free(s);
}

/* A row of crisp dark lines, each less than two pixels wide, that the model saw as a soft smear. */
static void test_thin_parts_are_found_in_a_soft_matte(void **state) {
    static uint8_t rgb[PIXELS * 3];
    static float truth[PIXELS], soft[PIXELS];
    Picture picture = {.width = SIDE, .height = SIDE, .rgb = rgb};
    Rect region = {0, 0, SIDE, SIDE};
    double before = 0, after = 0;
    Cutout cutout;
    Soft smear;

    (void)state;
    assert_int_equal(soft_new(SIDE, SIDE, &smear), 0);
    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            size_t i = (size_t)y * SIDE + x;
            float line = fabsf((float)(x % 24) - 12 + (float)(y % 64) / 32);
            bool lines = y > 40 && y < 130;
            truth[i] = y >= 130 ? 1 : lines ? CLAMP(1.4f - line, 0.0f, 1.0f) : 0;
            smear.pixels[i] = vec4_splat(truth[i]);
            for (size_t c = 0; c < 3; c++) {
                float back = 190 + (float)(x / 8 + 10 * c);
                rgb[3 * i + c] = (uint8_t)(truth[i] * 40 + (1 - truth[i]) * back + 0.5f);
            }
        }
    }
    assert_int_equal(soft_blur(&smear, 2.5), 0);
    for (size_t i = 0; i < PIXELS; i++) {
        soft[i] = smear.pixels[i][0];
    }
    soft_done(&smear);
    assert_int_equal(cutout_analyse(rgb, soft, SIDE, SIDE, false, &cutout), 0);
    assert_int_equal(cutout_apply(&cutout, &region, &picture), 0);
    for (size_t i = 40 * SIDE; i < 140 * SIDE; i++) {
        before += fabsf(soft[i] - truth[i]);
        after += fabsf((float)picture.alpha[i] / 255 - truth[i]);
    }
    print_message("mean alpha error of lines %.4f, was %.4f\n", after / (100 * SIDE),
                  before / (100 * SIDE));
    assert_true(after < before * 0.7);
    free(picture.alpha);
    cutout_done(&cutout);
}

/* What the model doubts inside the subject is opaque; a hole in it, and its soft edge, are not. */
static void test_doubt_inside_is_no_transparency(void **state) {
    enum {
        SIZE = 96
    };
    uint8_t matte[SIZE * SIZE] = {0}, before[SIZE * SIZE];

    (void)state;
    for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
            int inside = MIN(MIN(x, SIZE - 1 - x), MIN(y, SIZE - 1 - y)) - 8;
            bool doubt = x >= 20 && x < 40 && y >= 40 && y < 60;
            bool hole = x >= 56 && x < 70 && y >= 40 && y < 54;
            int edge = CLAMP(inside * 64, 0, 255);
            matte[y * SIZE + x] = (uint8_t)(hole ? 60 : doubt ? MIN(edge, 190) : edge);
        }
    }
    memcpy(before, matte, sizeof(matte));
    assert_int_equal(solid_raise(matte, SIZE, SIZE), 0);
    assert_int_equal(matte[50 * SIZE + 30], 255);
    assert_int_equal(matte[47 * SIZE + 63], 60);
    for (int y = 0; y < SIZE; y++) { /* within the radius of what is not the subject */
        for (int x = 0; x < 8 + SOLID_RADIUS; x++) {
            assert_int_equal(matte[y * SIZE + x], before[y * SIZE + x]);
        }
    }
    for (uint32_t side = 1; side < 20; side += 6) {
        memset(matte, 200, sizeof(matte));
        assert_int_equal(solid_raise(matte, side, 1), 0);
        assert_int_equal(matte[side / 2], 255);
        assert_int_equal(matte[side], 200);
    }
}

static void test_no_subject(void **state) {
    float *matte = calloc(PIXELS, sizeof(float));
    uint8_t *rgb = calloc(PIXELS, 3);
    Cutout cutout;

    (void)state;
    assert_int_equal(cutout_analyse(rgb, matte, SIDE, SIDE, false, &cutout), RENDER_NO_FOREGROUND);
    for (size_t i = 0; i < PIXELS; i++) {
        matte[i] = i % 3 ? 0.4f : NAN;
    }
    assert_int_equal(cutout_analyse(rgb, matte, SIDE, SIDE, false, &cutout), RENDER_NO_FOREGROUND);
    free(matte);
    free(rgb);
}

static void test_inside_is_filled(void **state) {
    uint8_t matte[64 * 64] = {0};

    (void)state;
    for (uint32_t y = 8; y < 56; y++) {
        for (uint32_t x = 8; x < 56; x++) {
            bool window = x >= 20 && x < 44 && y >= 20 && y<30, hole = x> 30 && y > 40 && y < 45;
            matte[y * 64 + x] = window ? 150 : hole && x < 40 ? 0 : 255;
        }
    }
    matte[8 * 64 + 30] = 200; /* the soft outer edge stays */
    assert_int_equal(inside_fill(matte, 64, 64), 0);
    assert_int_equal(matte[25 * 64 + 30], 255);
    assert_int_equal(matte[42 * 64 + 35], 255);
    assert_int_equal(matte[8 * 64 + 30], 200);
    assert_int_equal(matte[4 * 64 + 4], 0);
}

static void test_specks_do_not_count_for_the_box(void **state) {
    Picture picture = {.width = 600, .height = 400, .alpha = calloc(240000, 1)};
    Rect box;

    (void)state;
    assert_int_equal(subject_box_find(&picture, &box), RENDER_NO_FOREGROUND);
    for (uint32_t y = 101; y < 203; y++) {
        memset(picture.alpha + y * 600 + 77, 255, 111);
    }
    picture.alpha[5 * 600 + 590] = 255;
    assert_int_equal(subject_box_find(&picture, &box), 0);
    assert_int_equal(box.left, 77);
    assert_int_equal(box.top, 101);
    assert_int_equal(box.width, 111);
    assert_int_equal(box.height, 102);
    free(picture.alpha);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refined_matte_is_nearer_to_the_truth),
        cmocka_unit_test(test_no_halo_on_a_new_background),
        cmocka_unit_test(test_known_layers_are_found),
        cmocka_unit_test(test_constant_matte_stays_constant),
        cmocka_unit_test(test_sure_areas_stay_exactly_sure),
        cmocka_unit_test(test_thin_parts_are_found_in_a_soft_matte),
        cmocka_unit_test(test_doubt_inside_is_no_transparency),
        cmocka_unit_test(test_no_subject),
        cmocka_unit_test(test_inside_is_filled),
        cmocka_unit_test(test_specks_do_not_count_for_the_box),
    };

    return cmocka_run_group_tests(tests, test_start, NULL);
}
