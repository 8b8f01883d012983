/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/film_box.h"

uint64_t film_box_number(Str bytes, size_t at, size_t n) {
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
    box.size = film_box_number(bytes, 0, 4);
    if (box.size == 1) {
        box.head = 16;
        if (bytes.len < box.head) {
            return false;
        }
        box.size = film_box_number(bytes, 8, 8);
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

bool film_box_next(Str *rest, FilmBox *ret_box, Str *ret_body) {
    if (!film_box_read(*rest, rest->len, ret_box)) {
        return false;
    }
    *ret_body = (Str){rest->ptr + ret_box->head, (size_t)(ret_box->size - ret_box->head)};
    *rest = (Str){rest->ptr + ret_box->size, rest->len - (size_t)ret_box->size};
    return true;
}

bool film_box_find(Str in, const char *type, Str *ret_body) {
    FilmBox box;
    Str body;

    while (film_box_next(&in, &box, &body)) {
        if (memcmp(box.type, type, 4) == 0) {
            *ret_body = body;
            return true;
        }
    }
    return false;
}
