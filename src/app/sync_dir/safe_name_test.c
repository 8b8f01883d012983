/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sync_dir/safe_name.h"

#include "base/test.h"

static void check(const char *name, unsigned number, const char *expected) {
    char local[SAFE_NAME_SIZE];

    safe_name_local(name, number, local);
    assert_string_equal(local, expected);
}

static void test_a_name_stays_or_gets_a_number(void **state) {
    (void)state;
    check("IMG_1.JPG", 1, "IMG_1.JPG");
    check("IMG_1.JPG", 2, "IMG_1 (2).JPG");
    check("no extension", 3, "no extension (3)");
    check("-rf", 1, "-rf");
    check("a.b.jpg", 2, "a.b (2).jpg");
}

static void test_no_name_leads_elsewhere(void **state) {
    (void)state;
    check("../../etc/passwd", 1, "passwd");
    check("..", 1, "_..");
    check(".", 1, "_.");
    check("", 1, "_");
    check("/", 1, "_");
    check("C:\\photos\\a.jpg", 1, "a.jpg");
    check(".imagesync", 1, "_.imagesync");
    check("a\nb\x1b[2J.jpg", 1, "a_b_[2J.jpg");
}

static void test_what_comes_is_not_passed_over(void **state) {
    (void)state;
    check("a.part", 1, "a.part_");
    check("a~", 1, "a~_");
    assert_true(safe_name_is_passed_over("movie.CRDOWNLOAD"));
    assert_true(safe_name_is_passed_over(".DS_Store"));
    assert_false(safe_name_is_passed_over("part.jpg"));
}

static void test_long_names_are_cut_between_characters(void **state) {
    _cleanup_(buf_done) Buf name = BUF_INIT;
    char local[SAFE_NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        buf_add_str(&name, str_lit("\xc3\xa9"));
    }
    buf_add_str(&name, str_lit(".jpeg"));
    safe_name_local(name.data, 1, local);
    assert_int_equal(strlen(local), 255);
    assert_true(str_is_utf8(str_from(local)));
    assert_true(str_ends_with(str_from(local), str_lit(".jpeg")));
    safe_name_local(name.data, 12, local);
    assert_true(strlen(local) <= 255 && str_is_utf8(str_from(local)));
    assert_true(str_ends_with(str_from(local), str_lit(" (12).jpeg")));
}

static void test_the_server_gets_text(void **state) {
    _cleanup_(buf_done) Buf out = BUF_INIT;

    (void)state;
    safe_name_sent(str_lit("a\xff\n\xc3\xa9"), &out);
    assert_string_equal(out.data, "a\xef\xbf\xbd_\xc3\xa9");
}

static void test_no_album_leads_elsewhere(void **state) {
    static const struct {
        const char *album, *folder;
    } cases[] = {
        {"Rome", "Rome"},
        {"Trips/2026 Rome", "Trips/2026 Rome"},
        {"/Trips//Rome/", "Trips/Rome"},
        {"", ""},
        {"//", ""},
        {"..", "_.."},
        {"../x", "_../x"},
        {"/etc", "etc"},
        {"a/.hidden/b", "a/_.hidden/b"},
        {".imagesync/trash", "_.imagesync/trash"},
        {"a\\..\\b", "b"},
        {"a\nb/c", "a_b/c"},
        {"x.tmp/y", "x.tmp_/y"},
        {"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/"
         "33",
         ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_done) Buf folder = BUF_INIT;
        safe_name_folder(cases[i].album, &folder);
        assert_string_equal(buf_cstr(&folder), cases[i].folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_stays_or_gets_a_number),
        cmocka_unit_test(test_no_name_leads_elsewhere),
        cmocka_unit_test(test_what_comes_is_not_passed_over),
        cmocka_unit_test(test_long_names_are_cut_between_characters),
        cmocka_unit_test(test_no_album_leads_elsewhere),
        cmocka_unit_test(test_the_server_gets_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
