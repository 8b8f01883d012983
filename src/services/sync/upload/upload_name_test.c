/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/upload/upload_name.h"

#include "base/test.h"

static void expect(Str raw, const char *name) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    assert_string_equal(upload_name_clean(raw, arena), name);
}

static void test_only_the_last_part_is_kept(void **state) {
    (void)state;
    expect(str_lit("a.jpg"), "a.jpg");
    expect(str_lit("../../etc/passwd"), "passwd");
    expect(str_lit("C:\\photos\\a b.jpg"), "a b.jpg");
    expect(str_lit("/"), "photo");
    expect(str_lit("a/.."), "photo");
    expect(str_lit("."), "photo");
    expect(str_lit(""), "photo");
    expect(str_lit(".hidden"), ".hidden");
}

static void test_what_cannot_be_seen_goes(void **state) {
    (void)state;
    expect(str_lit("a\0b\x01\r\n\t\x7f.jpg"), "ab.jpg");
    expect(str_lit("\xc2\x85x\xe2\x80\xae\xe2\x81\xa6y"), "xy");
    expect(str_lit("\xff\xfe\xc3"), "photo");
    expect(str_lit("  a  "), "a");
    expect(str_lit("h\xc3\xa4\xc3\x9f.heic"), "h\xc3\xa4\xc3\x9f.heic");
}

static void test_a_long_one_keeps_its_extension(void **state) {
    char raw[600], name[UPLOAD_NAME_MAX + 1];

    (void)state;
    memset(raw, 'x', sizeof(raw));
    memset(name, 'x', sizeof(name));
    name[UPLOAD_NAME_MAX] = '\0';
    expect((Str){raw, sizeof(raw)}, name);
    memcpy(raw + sizeof(raw) - 5, ".jpeg", 5);
    memcpy(name + UPLOAD_NAME_MAX - 5, ".jpeg", 5);
    expect((Str){raw, sizeof(raw)}, name);
    /* Characters are not cut in two. */
    for (size_t i = 0; i < 300; i++) {
        memcpy(raw + 2 * i, "\xc3\xa4", 2);
        memcpy(name + 2 * MIN(i, 126), "\xc3\xa4", 2);
    }
    name[UPLOAD_NAME_MAX - 1] = '\0';
    expect((Str){raw, sizeof(raw)}, name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_last_part_is_kept),
        cmocka_unit_test(test_what_cannot_be_seen_goes),
        cmocka_unit_test(test_a_long_one_keeps_its_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
