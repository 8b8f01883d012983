/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/breached_list.h"

#include "base/crypto/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/test.h"

#include <stdio.h>
#include <unistd.h>

#define PASSWORDS 3000

typedef char Line[64];

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static Str password_of(char *buffer, size_t size, int i) {
    int n = snprintf(buffer, size, "password %d", i);

    return (Str){buffer, (size_t)n};
}

/* The lines of so many passwords, sorted. */
static Line *lines_of(int n, const char *end) {
    Line *lines = calloc((size_t)n, sizeof(*lines));
    char text[32], hex[2 * DIGEST_SHA1_LEN + 1];
    uint8_t hash[DIGEST_SHA1_LEN];

    assert_non_null(lines);
    for (int i = 0; i < n; i++) {
        digest_sha1(password_of(text, sizeof(text), i), hash);
        hex_encode((Str){(const char *)hash, sizeof(hash)}, hex);
        for (char *c = hex; *c; c++) {
            *c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
        }
        /* Counts of one to seven digits, so that lines are of different lengths. */
        snprintf(lines[i], sizeof(Line), "%s:%d%s", hex, 1 + i % 7 * i % 9999999, end);
    }
    qsort(lines, (size_t)n, sizeof(*lines), compare);
    return lines;
}

static int open_text(Str text, BreachedList **ret_list) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char path[] = "/tmp/breached-XXXXXX";
    _cleanup_(fd_closep) int fd = mkstemp(path);
    const char *error = NULL;
    int r;

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text.ptr, text.len), 0);
    r = breached_list_open(path, arena, ret_list, &error);
    unlink(path);
    assert_true(r == 0 || (r == -EINVAL && error && strstr(error, path)));
    return r;
}

static void finds_all_and_no_other(int n, const char *end, bool end_at_last) {
    _cleanup_(breached_list_freep) BreachedList *list = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    _cleanup_(freep) Line *lines = lines_of(n, end);
    char password[32];
    bool found = false;

    for (int i = 0; i < n; i++) {
        buf_add_str(&text, str_from(lines[i]));
    }
    text.len -= end_at_last ? 0 : strlen(end);
    assert_int_equal(open_text(buf_str(&text), &list), 0);
    for (int i = 0; i < n + 100; i++) {
        assert_int_equal(
            breached_list_has(list, password_of(password, sizeof(password), i), &found), 0);
        assert_int_equal(found, i < n);
    }
}

static void test_finds_what_is_there_and_nothing_else(void **state) {
    (void)state;
    for (int n = 1; n < 20; n++) {
        finds_all_and_no_other(n, "\n", true);
        finds_all_and_no_other(n, "\r\n", false);
    }
    finds_all_and_no_other(PASSWORDS, "\r\n", true);
    finds_all_and_no_other(PASSWORDS, "\n", false);
}

static void test_refuses_what_is_no_such_list(void **state) {
#define A "0000000000000000000000000000000000000001"
#define B "0000000000000000000000000000000000000002"
    static const char *const bad[] = {"", "\n", "password\n", A "\n", A ":\n", A ":1\n" A ":1\n",
                                      B ":1\n" A ":1\n", A ":x\n", "\n" A ":1\n",
                                      A ":1\n\n" B ":1\n", A ":1\n" B "1:1\n",
                                      A ":123456789012345678901\n", A ":1 \n", A ":1\nrest\n",
                                      /* NTLM hashes: 32 digits. */
                                      "00000000000000000000000000000001:1\n"};
    _cleanup_(breached_list_freep) BreachedList *list = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(open_text(str_from(bad[i]), &list), -EINVAL);
    }
}

static void test_a_missing_file_or_a_folder_is_said(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    BreachedList *list = NULL;
    const char *error = NULL;

    (void)state;
    assert_int_equal(breached_list_open("/nowhere/list", arena, &list, &error), -EINVAL);
    assert_non_null(strstr(error, "/nowhere/list: No such file"));
    assert_int_equal(breached_list_open("/tmp", arena, &list, &error), -EINVAL);
    assert_non_null(strstr(error, "no file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_is_there_and_nothing_else),
        cmocka_unit_test(test_refuses_what_is_no_such_list),
        cmocka_unit_test(test_a_missing_file_or_a_folder_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
