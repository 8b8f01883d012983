/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What films say of themselves: MP4 (ISO/IEC 14496-12, the ISO base media file format) and what it
 * was made from, QuickTime (Apple, "QuickTime File Format"). Untrusted to the last bit: what makes
 * no sense is absent. Nothing is decoded.
 */

#include "core/model/film_info.h"
#include "core/model/photo_info.h"

enum {
    FILM_E_BROKEN = 1, /* there is no whole "moov" box with a head in it */
};

/*
 * `bytes` are a film, or its "moov" box alone. Time is linear in them, and nothing is allocated.
 * The result of photo is photo_info_valid(). `captured` comes from Apple's keys, which know the
 * zone; else from the film's head, which counts in UTC. The size is that of the largest picture
 * track, turned as its matrix says when that is by a right angle. 0 or FILM_E_BROKEN.
 */
int film_read(Str bytes, FilmInfo *ret_film, PhotoInfo *ret_photo);
