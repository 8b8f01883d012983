/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "core/model/measure.h"

#include <errno.h>

static void regions(void **state) {
    Roi roi;
    Rect rect;

    (void)state;
    assert_int_equal(roi_parse(str_lit("0% 10 50% 100px"), &roi), 0);
    assert_int_equal(roi_resolve(&roi, 200, 100, &rect), 0);
    assert_true(rect.left == 0 && rect.top == 10 && rect.width == 100 && rect.height == 90);
    assert_int_equal(roi_resolve(&roi, 200, 99, &rect), ROI_E_EXCEEDS_BOUNDS);
    assert_int_equal(roi_parse(str_lit("10 10 10 20"), &roi), 0);
    assert_int_equal(roi_resolve(&roi, 200, 100, &rect), ROI_E_EMPTY);
    assert_int_equal(roi_parse(str_lit("10 10 10"), &roi), -EINVAL);
    assert_int_equal(roi_parse(str_lit("10 10 10 20 30"), &roi), -EINVAL);
    assert_int_equal(roi_parse(str_lit("a b c d"), &roi), -EINVAL);
    assert_int_equal(roi_parse(str_lit("-1 0 5 5"), &roi), -EINVAL);
}

static void margins_follow_css(void **state) {
    Margin margin;

    (void)state;
    assert_int_equal(margin_parse(str_lit("10%"), &margin), 0);
    assert_true(margin.left.value == 10 && margin.left.percent && margin.bottom.value == 10);
    assert_int_equal(margin_parse(str_lit("1px 2px"), &margin), 0);
    assert_true(margin.top.value == 1 && margin.bottom.value == 1 && margin.left.value == 2);
    assert_int_equal(margin_parse(str_lit("1 2 3 4"), &margin), 0);
    assert_true(margin.right.value == 2 && margin.left.value == 4);
    assert_int_equal(margin_parse(str_lit("1 2 3"), &margin), -EINVAL);
    assert_int_equal(margin_parse(str_lit("51%"), &margin), -EINVAL);
    assert_int_equal(margin_parse(str_lit("501px"), &margin), -EINVAL);
}

static void scales_and_positions(void **state) {
    Position position;
    double scale;

    (void)state;
    assert_int_equal(scale_parse(str_lit("original"), &scale), 0);
    assert_true(scale == 0);
    assert_int_equal(scale_parse(str_lit("80%"), &scale), 0);
    assert_true(scale == 0.8);
    assert_int_equal(scale_parse(str_lit("9%"), &scale), -EINVAL);
    assert_int_equal(scale_parse(str_lit("80"), &scale), -EINVAL);
    assert_int_equal(position_parse(str_lit("center"), &position), 0);
    assert_true(!position.original && position.x == 0.5 && position.y == 0.5);
    assert_int_equal(position_parse(str_lit("20% 90%"), &position), 0);
    assert_true(position.x == 0.2 && position.y == 0.9);
    assert_int_equal(position_parse(str_lit("101%"), &position), -EINVAL);
    assert_int_equal(position_parse(str_lit("left"), &position), -EINVAL);
    assert_int_equal(position_parse(str_lit(""), &position), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions),
        cmocka_unit_test(margins_follow_css),
        cmocka_unit_test(scales_and_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
