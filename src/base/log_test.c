/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/log.h"
#include "base/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Runs one log call with standard error in a memory file and parses the line. */
static json_t *capture(const char *text) {
    _cleanup_(fd_closep) int fd = -1;
    _cleanup_(buf_done) Buf line = BUF_INIT;
    int saved = dup(STDERR_FILENO);

    assert_int_equal(fd_memory_new("log", &fd), 0);
    dup2(fd, STDERR_FILENO);
    log_info("event", LOG_STR("text", text), LOG_INT("n", -5), LOG_DOUBLE("d", NAN),
             LOG_BOOL("b", true));
    log_debug("not written");
    dup2(saved, STDERR_FILENO);
    close(saved);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(fd_read_to_end(fd, 65536, &line), 0);
    return json_loadb(line.data, line.len, 0, NULL);
}

static void lines_are_json_whatever_the_text(void **state) {
    static const char *const texts[] = {"plain", "quote\" back\\ newline\n\x01",
                                        "gr\xc3\xbc\xc3\x9f"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_t *line = capture(texts[i]);
        assert_non_null(line);
        assert_string_equal(json_string_value(json_object_get(line, "text")), texts[i]);
        assert_int_equal(json_integer_value(json_object_get(line, "n")), -5);
        assert_true(json_is_null(json_object_get(line, "d")));
        json_decref(line);
    }
}

static void bytes_that_are_not_utf8_are_replaced(void **state) {
    json_t *line = capture("a\xff\xc0\x80\xed\xa0\x80z");
    const char *text;

    (void)state;
    assert_non_null(line);
    text = json_string_value(json_object_get(line, "text"));
    assert_memory_equal(text, "a\xef\xbf\xbd", 4);
    assert_int_equal(text[strlen(text) - 1], 'z');
    json_decref(line);
}

static void numbers_are_as_printf_has_them(void **state) {
    static const double numbers[] = {0,     0.0004, 0.001,     0.0125, 0.044,      1,
                                     1.5,   12.34,  999.999,   1000.5, 123456.75,  999998.5,
                                     1e300, -1.25,  0.1 + 0.2, 2.675,  33.3333333, 4.5e-9};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        _cleanup_(fd_closep) int fd = -1;
        _cleanup_(buf_done) Buf line = BUF_INIT;
        int saved = dup(STDERR_FILENO);
        char expected[64];
        assert_int_equal(fd_memory_new("log", &fd), 0);
        dup2(fd, STDERR_FILENO);
        log_info("event", LOG_DOUBLE("d", numbers[i]), LOG_INT("least", INT64_MIN));
        dup2(saved, STDERR_FILENO);
        close(saved);
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(fd_read_to_end(fd, 65536, &line), 0);
        snprintf(expected, sizeof(expected), "\"d\":%.6g,\"least\":-9223372036854775808}",
                 numbers[i]);
        assert_non_null(strstr(line.data, expected));
    }
}

static void the_time_is_of_now(void **state) {
    json_t *line = capture("x");
    struct tm utc = {0};
    time_t before = time(NULL);
    const char *text, *end;

    (void)state;
    text = json_string_value(json_object_get(line, "time"));
    end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    assert_non_null(end);
    assert_int_equal(strlen(end), 5); /* ".678Z" */
    assert_in_range(timegm(&utc), before - 60, before + 60);
    json_decref(line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_json_whatever_the_text),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(numbers_are_as_printf_has_them),
        cmocka_unit_test(the_time_is_of_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
