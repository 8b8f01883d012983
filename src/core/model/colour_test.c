/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "core/model/colour.h"

#include <errno.h>

static void reads_every_way_a_colour_is_written(void **state) {
    static const struct {
        const char *text;
        Colour colour;
    } cases[] = {
        {"fff", {255, 255, 255, 255}},
        {"#81d4fa", {0x81, 0xd4, 0xfa, 255}},
        {"81d4fa77", {0x81, 0xd4, 0xfa, 0x77}},
        {"#F008", {255, 0, 0, 0x88}},
        {"Green", {0, 128, 0, 255}},
        {"transparent", {0, 0, 0, 0}},
        {"rebeccapurple", {0x66, 0x33, 0x99, 255}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Colour colour;
        assert_int_equal(colour_parse(str_from(cases[i].text), &colour), 0);
        assert_memory_equal(&colour, &cases[i].colour, sizeof(colour));
    }
}

static void refuses_what_is_no_colour(void **state) {
    static const char *const cases[] = {"",         "#",   "#12",    "12345",
                                        "#1234567", "ggg", "#green", "re d"};
    Colour colour;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(colour_parse(str_from(cases[i]), &colour), -EINVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_way_a_colour_is_written),
        cmocka_unit_test(refuses_what_is_no_colour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
