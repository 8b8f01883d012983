/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/film_box.h"

static uint64_t number(Str bytes, size_t at, size_t n) {
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++) {
        value = value << 8 | (uint8_t)bytes.ptr[at + i];
    }
    return value;
}

bool film_box_read(Str bytes, uint64_t left, FilmBox *ret_box) {
    FilmBox box = {.head = 8};

    if (bytes.len < box.head) {
        return false;
    }
    box.size = number(bytes, 0, 4);
    if (box.size == 1) {
        box.head = 16;
        if (bytes.len < box.head) {
            return false;
        }
        box.size = number(bytes, 8, 8);
    } else if (box.size == 0) {
        box.size = left;
    }
    if (box.size < box.head || box.size > left) {
        return false;
    }
    memcpy(box.type, bytes.ptr + 4, 4);
    *ret_box = box;
    return true;
}
