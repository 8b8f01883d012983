/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/pair.h"

#include "base/test.h"

static void test_halves_have_one_name(void **state) {
    (void)state;
    assert_true(pair_is_one(str_lit("a/IMG_1.HEIC"), str_lit("a/IMG_1.MOV")));
    assert_true(pair_is_one(str_lit("DSC1.ARW"), str_lit("DSC1.jpg")));
    assert_false(pair_is_one(str_lit("a/IMG_1.HEIC"), str_lit("b/IMG_1.MOV")));
    assert_false(pair_is_one(str_lit("IMG_1.HEIC"), str_lit("IMG_10.MOV")));
    assert_false(pair_is_one(str_lit("IMG_1.jpg"), str_lit("IMG_1.heic")));
    assert_false(pair_is_one(str_lit("IMG_1.jpg"), str_lit("IMG_1.png")));
    assert_false(pair_is_one(str_lit("IMG_1.mov"), str_lit("IMG_1.dng")));
    assert_false(pair_is_one(str_lit("a.b/IMG"), str_lit("a.jpg")));
}

static void test_a_half_is_found_among_many(void **state) {
    ScanFile files[] = {{.path = str_lit("IMG_1 (2).jpg")},
                        {.path = str_lit("IMG_1.HEIC")},
                        {.path = str_lit("IMG_1.MOV")},
                        {.path = str_lit("IMG_10.HEIC")},
                        {.path = str_lit("IMG_2.MOV")}};
    const Scan scan = {.files = files, .n_files = ARRAY_LEN(files)};

    (void)state;
    assert_ptr_equal(pair_find(&scan, str_lit("IMG_1.HEIC")), &files[2]);
    assert_ptr_equal(pair_find(&scan, str_lit("IMG_1.MOV")), &files[1]);
    assert_null(pair_find(&scan, str_lit("IMG_10.HEIC")));
    assert_null(pair_find(&scan, str_lit("IMG_2.MOV")));
    assert_null(pair_find(&scan, str_lit("notes.txt")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_have_one_name),
        cmocka_unit_test(test_a_half_is_found_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
