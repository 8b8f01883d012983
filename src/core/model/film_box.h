/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The boxes that MP4 and QuickTime films are made of, and Canon's newer raw files (ISO/IEC
 * 14496-12, 4.2). Untrusted to the last bit. Pure; nothing is allocated. */

#include "base/str.h"

#define FILM_BOX_HEAD_MAX 16

typedef struct FilmBox {
    char type[5];
    uint64_t head, size; /* bytes of its head; of all of it, with the head */
} FilmBox;

/*
 * The box at the front of `left` bytes, of which `bytes` are the first: FILM_BOX_HEAD_MAX, or all
 * when there are fewer. A size of 0 reaches to the end, one of 1 stands behind the type. False when
 * there is no whole box.
 */
bool film_box_read(Str bytes, uint64_t left, FilmBox *ret_box);

/* Takes a whole box off the front of `rest`, and gives what is in it. False when there is none. */
bool film_box_next(Str *rest, FilmBox *ret_box, Str *ret_body);

/* The body of the first box of this type (4 characters) among those in `in`. */
bool film_box_find(Str in, const char *type, Str *ret_body);

/* A number of `n` bytes (at most 8), the highest first; the caller has checked that they are
 * there. */
uint64_t film_box_number(Str bytes, size_t at, size_t n);
