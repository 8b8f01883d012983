/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The boxes that MP4 and QuickTime films are made of (ISO/IEC 14496-12, 4.2). Pure. */

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
