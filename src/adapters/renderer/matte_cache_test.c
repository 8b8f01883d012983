/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/renderer/matte_cache.h"

#include "base/fd.h"
#include "base/test.h"

#include <math.h>

static MatteKey key_of(const char *photo, const char *model, const Roi *roi) {
    _cleanup_(fd_closep) int fd = -1;
    MatteKey key;

    assert_int_equal(fd_memory_new("photo", &fd), 0);
    assert_int_equal(fd_write_all(fd, photo, strlen(photo)), 0);
    assert_int_equal(matte_key(&(RenderSource){.fd = fd, .len = strlen(photo)}, model, roi, &key),
                     0);
    return key;
}

static void keys_differ_by_photo_model_and_region(void **state) {
    Roi whole = ROI_WHOLE, part = ROI_WHOLE;
    MatteKey a, others[3];

    (void)state;
    part.x1.value = 10;
    a = key_of("photo", "m", &whole);
    others[0] = key_of("Photo", "m", &whole);
    others[1] = key_of("photo", "n", &whole);
    others[2] = key_of("photo", "m", &part);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_memory_not_equal(&a, &others[i], sizeof(a));
    }
    others[0] = key_of("photo", "m", &whole);
    assert_memory_equal(&a, &others[0], sizeof(a));
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
        cmocka_unit_test(keys_differ_by_photo_model_and_region),
        cmocka_unit_test(keeps_the_latest_within_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
