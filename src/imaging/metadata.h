/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What files that no picture is made of say of themselves. As render_recipe() this runs inside the
 * sandbox. */

#include "core/model/film_info.h"
#include "core/ports/renderer.h"

/*
 * Of a film, or its "moov" box alone: both results. Of a raw file, or its first 64 KiB, that is
 * laid out as a TIFF: *ret_photo, and *ret_film is nothing. 0; RENDER_UNSUPPORTED: it is neither;
 * or RENDER_UNREADABLE with *reterr_detail (a literal).
 */
int metadata_read(Str bytes, FilmInfo *ret_film, PhotoInfo *ret_photo, const char **reterr_detail);
