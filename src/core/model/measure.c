/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/measure.h"

#include <errno.h>
#include <math.h>

/* Larger than any canvas; keeps later arithmetic far from overflow. */
#define PIXELS_MAX         1e6
#define MARGIN_PERCENT_MAX 50
#define MARGIN_PIXELS_MAX  500

int length_parse(Str text, Length *ret_length) {
    bool percent = str_ends_with(text, str_lit("%"));
    double value;

    if (percent) {
        text.len -= 1;
    } else if (str_ends_with(text, str_lit("px"))) {
        text.len -= 2;
    }
    if (str_to_double(text, &value) < 0 || value < 0 || value > PIXELS_MAX) {
        return -EINVAL;
    }
    *ret_length = (Length){value, percent};
    return 0;
}

double length_resolve(Length length, double whole) {
    return length.percent ? length.value / 100 * whole : length.value;
}

/* Splits at blanks into at most `max` words; their number, or -EINVAL when there are more. */
static int split_words(Str text, Str *words, int max) {
    Str word;
    int count = 0;

    while (str_next_token(&text, " \t", &word)) {
        if (word.len == 0) {
            continue;
        }
        if (count == max) {
            return -EINVAL;
        }
        words[count++] = word;
    }
    return count;
}

int roi_parse(Str text, Roi *ret_roi) {
    Length corners[4];
    Str words[4];

    if (split_words(text, words, 4) != 4) {
        return -EINVAL;
    }
    for (int i = 0; i < 4; i++) {
        if (length_parse(words[i], &corners[i]) < 0) {
            return -EINVAL;
        }
    }
    *ret_roi = (Roi){corners[0], corners[1], corners[2], corners[3]};
    return 0;
}

int roi_resolve(const Roi *roi, uint32_t width, uint32_t height, Rect *ret_rect) {
    double x1 = round(length_resolve(roi->x1, width)), x2 = round(length_resolve(roi->x2, width));
    double y1 = round(length_resolve(roi->y1, height)), y2 = round(length_resolve(roi->y2, height));

    if (x1 > width || x2 > width || y1 > height || y2 > height) {
        return ROI_E_EXCEEDS_BOUNDS;
    }
    if (x2 <= x1 || y2 <= y1) {
        return ROI_E_EMPTY;
    }
    *ret_rect = (Rect){(uint32_t)x1, (uint32_t)y1, (uint32_t)(x2 - x1), (uint32_t)(y2 - y1)};
    return 0;
}

int margin_parse(Str text, Margin *ret_margin) {
    Length sides[4];
    Str words[4];
    int count = split_words(text, words, 4);

    if (count != 1 && count != 2 && count != 4) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        double max;
        if (length_parse(words[i], &sides[i]) < 0) {
            return -EINVAL;
        }
        max = sides[i].percent ? MARGIN_PERCENT_MAX : MARGIN_PIXELS_MAX;
        if (sides[i].value > max) {
            return -EINVAL;
        }
    }
    /* CSS order: top, right, bottom, left; what is missing is copied from the opposite side. */
    if (count == 1) {
        sides[1] = sides[0];
    }
    if (count <= 2) {
        sides[2] = sides[0];
        sides[3] = sides[1];
    }
    *ret_margin = (Margin){sides[0], sides[1], sides[2], sides[3]};
    return 0;
}

int scale_parse(Str text, double *ret_scale) {
    Length length;

    if (str_equal_nocase(text, str_lit("original"))) {
        *ret_scale = 0;
        return 0;
    }
    if (length_parse(text, &length) < 0 || !length.percent || length.value < 10 ||
        length.value > 100) {
        return -EINVAL;
    }
    *ret_scale = length.value / 100;
    return 0;
}

static int parse_share(Str word, double *ret_share) {
    Length length;

    if (str_equal_nocase(word, str_lit("center"))) {
        *ret_share = 0.5;
        return 0;
    }
    if (length_parse(word, &length) < 0 || !length.percent || length.value > 100) {
        return -EINVAL;
    }
    *ret_share = length.value / 100;
    return 0;
}

int position_parse(Str text, Position *ret_position) {
    Position position = {0};
    Str words[2];
    int count;

    if (str_equal_nocase(text, str_lit("original"))) {
        *ret_position = (Position){.original = true, .x = 0.5, .y = 0.5};
        return 0;
    }
    count = split_words(text, words, 2);
    if (count < 1 || parse_share(words[0], &position.x) < 0 ||
        parse_share(words[count - 1], &position.y) < 0) {
        return -EINVAL;
    }
    *ret_position = position;
    return 0;
}
