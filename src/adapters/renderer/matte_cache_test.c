/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/matte_cache.h"

#include "base/test.h"

#include <math.h>

static MatteKey key_of(const char *pixels, uint32_t width, uint32_t height, const char *model) {
    MatteKey key;

    assert_int_equal(matte_key((const uint8_t *)pixels, width, height, model, &key), 0);
    return key;
}

static void keys_differ_by_pixels_shape_and_model(void **state) {
    static const char pixels[] = "rgbrgbrgbrgb";
    MatteKey a = key_of(pixels, 2, 2, "m"), again = key_of(pixels, 2, 2, "m");
    MatteKey others[] = {key_of("rgbrgbrgbrgB", 2, 2, "m"), key_of(pixels, 4, 1, "m"),
                         key_of(pixels, 2, 2, "n"), key_of("rgbrgbrgbrgbm", 2, 2, "")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_memory_not_equal(&a, &others[i], sizeof(a));
    }
    assert_memory_equal(&a, &again, sizeof(a));
}

static void keeps_the_latest_within_its_bound(void **state) {
    MatteCache *cache = matte_cache_new(8);
    MatteKey keys[3] = {{{1}}, {{2}}, {{3}}};
    float matte[4] = {0, 0.5f, 1, NAN}, got[4];

    (void)state;
    matte_cache_put(cache, &keys[0], matte, 4);
    matte_cache_put(cache, &keys[1], matte, 4);
    assert_true(matte_cache_get(cache, &keys[0], got, 4));
    assert_float_equal(got[1], 0.5f, 0.003f);
    assert_true(got[0] == 0 && got[2] == 1 && got[3] == 0);
    matte_cache_put(cache, &keys[2], matte, 4);
    assert_false(matte_cache_get(cache, &keys[1], got, 4));
    assert_true(matte_cache_get(cache, &keys[0], got, 4));
    /* One of another size is another model's. */
    assert_false(matte_cache_get(cache, &keys[0], got, 3));
    matte_cache_put(cache, &keys[1], (float[9]){0}, 9);
    assert_false(matte_cache_get(cache, &keys[1], got, 9));
    matte_cache_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_differ_by_pixels_shape_and_model),
        cmocka_unit_test(keeps_the_latest_within_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
