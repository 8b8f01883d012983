/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/test.h"

#include <errno.h>
#include <unistd.h>

static void sealed_memory_cannot_change(void **state) {
    _cleanup_(fd_closep) int fd = -1;

    (void)state;
    assert_int_equal(fd_memory_new("test", &fd), 0);
    assert_int_equal(fd_write_all(fd, "hello", 5), 0);
    assert_int_equal(fd_memory_seal(fd), 0);
    assert_true(write(fd, "x", 1) < 0);
    assert_true(ftruncate(fd, 0) < 0);
}

static void maps_ranges_and_refuses_what_lies_beyond(void **state) {
    _cleanup_(fd_closep) int fd = -1;
    _cleanup_(map_done) Map map = MAP_INIT;
    _cleanup_(buf_done) Buf text = BUF_INIT;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        buf_addf(&text, "%04d ", i);
    }
    assert_int_equal(fd_memory_new("test", &fd), 0);
    assert_int_equal(fd_write_all(fd, text.data, text.len), 0);
    assert_int_equal(map_range(fd, 5005, 9, &map), 0);
    assert_memory_equal(map.data, "1001 1002", 9);
    assert_int_equal(map_range(fd, 9999, 2, &(Map){0}), -ENODATA);
    assert_int_equal(map_range(fd, UINT64_MAX, 2, &(Map){0}), -EOVERFLOW);
}

static void reading_stops_at_the_limit(void **state) {
    _cleanup_(buf_done) Buf buf = BUF_INIT;
    _cleanup_(buf_done) Buf small = BUF_INIT;
    _cleanup_(fd_closep) int fd = -1;

    (void)state;
    assert_int_equal(fd_memory_new("test", &fd), 0);
    assert_int_equal(fd_write_all(fd, "12345", 5), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(fd_read_to_end(fd, 5, &buf), 0);
    assert_string_equal(buf_cstr(&buf), "12345");
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(fd_read_to_end(fd, 4, &small), -EFBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_memory_cannot_change),
        cmocka_unit_test(maps_ranges_and_refuses_what_lies_beyond),
        cmocka_unit_test(reading_stops_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
