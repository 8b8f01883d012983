/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "core/model/tiff.h"

/* Numbers one after another: 2 or 4 bytes each. */
typedef struct Number {
    uint32_t value;
    unsigned bytes;
} Number;

static Buf write_numbers(bool big, const Number *numbers, size_t n) {
    Buf buf = BUF_INIT;

    buf_add(&buf, big ? "MM" : "II", 2);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < numbers[i].bytes; k++) {
            unsigned shift = 8 * (big ? numbers[i].bytes - 1 - k : k);
            buf_add(&buf, &(uint8_t){(uint8_t)(numbers[i].value >> shift)}, 1);
        }
    }
    return buf;
}

/* Two directories, the second behind what does not fit into the first. */
static const Number two[] = {
    {42, 2},
    {8, 4}, /* header */
    {4, 2}, /* entries */
    {0x100, 2},
    {TIFF_SHORT, 2},
    {2, 4},
    {640, 2},
    {480, 2},
    {0x110, 2},
    {TIFF_ASCII, 2},
    {6, 4},
    {62, 4},
    {0x200, 2},
    {TIFF_SRATIONAL, 2},
    {1, 4},
    {68, 4},
    {0x300, 2},
    {TIFF_LONG, 2},
    {1000, 4},
    {62, 4}, /* which are not there */
    {76, 4}, /* the second */
    {0, 4},
    {0, 2}, /* the text, set below */
    {(uint32_t)-3, 4},
    {2, 4},
    {1, 2},
    {0x101, 2},
    {TIFF_BYTE, 2},
    {1, 4},
    {7, 4},
    {0, 4},
};

static void both_orders_of_bytes(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        Buf buf = write_numbers(big, two, ARRAY_LEN(two));
        TiffDirectory first, second;
        TiffEntry entry;
        uint32_t number;
        double value;
        memcpy(buf.data + 62, "EOS\0R6", 6);
        assert_true(tiff_open(buf_str(&buf), &first));
        assert_int_equal(tiff_find_number(&first, 0x100), 640);
        assert_true(tiff_find(&first, 0x100, &entry) && tiff_number(&entry, 1, &number));
        assert_int_equal(number, 480);
        assert_false(tiff_number(&entry, 2, &number));
        assert_false(tiff_fraction(&entry, 0, &value));
        assert_true(tiff_find(&first, 0x110, &entry));
        assert_true(str_equal(tiff_text(&entry), str_lit("EOS")));
        assert_true(tiff_find(&first, 0x200, &entry) && tiff_fraction(&entry, 0, &value));
        assert_true(value == -1.5);
        assert_false(tiff_number(&entry, 0, &number));
        assert_false(tiff_find(&first, 0x300, &entry));
        assert_false(tiff_find(&first, 0x999, &entry));
        second = tiff_following(&first);
        assert_true(tiff_find(&second, 0x101, &entry) && tiff_text(&entry).len == 0);
        assert_int_equal(second.at, 76);
        second = tiff_following(&second);
        assert_int_equal(second.at, 0);
        assert_false(tiff_find(&second, 0x101, &entry));
        assert_int_equal(tiff_following(&second).at, 0);
        buf_done(&buf);
    }
}

static void headers(void **state) {
    static const Str none[] = {
        str_lit(""),
        str_lit("II*\0\x08\0\0"),
        str_lit("IM*\0\x08\0\0\0"),
        str_lit("II+\0\x08\0\0\0"),
        str_lit("XX*\0\x08\0\0\0"),
    };
    TiffDirectory first;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        assert_false(tiff_open(none[i], &first));
    }
    assert_true(tiff_open(str_lit("IIRO\xff\xff\xff\xff"), &first));
    assert_int_equal(tiff_find_number(&first, 0x100), 0);
    assert_int_equal(tiff_following(&first).at, 0);
}

/* Exactly as long as it says, so that a sanitizer sees a byte too far. */
static void cut_everywhere(void **state) {
    Buf buf = write_numbers(false, two, ARRAY_LEN(two));

    (void)state;
    for (size_t len = 0; len < buf.len; len++) {
        char *exact = malloc(MAX(len, 1u));
        TiffDirectory first;
        TiffEntry entry;
        memcpy(exact, buf.data, len);
        if (tiff_open((Str){exact, len}, &first)) {
            for (unsigned tag = 0; tag < 0x400; tag++) {
                if (tiff_find(&first, tag, &entry)) {
                    assert_true(entry.value.ptr + entry.value.len <= exact + len);
                }
            }
            (void)tiff_following(&first);
        }
        free(exact);
    }
    buf_done(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_orders_of_bytes),
        cmocka_unit_test(headers),
        cmocka_unit_test(cut_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
