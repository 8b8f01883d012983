/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What files say of themselves that libvips does not decode. As render_recipe() this runs inside
 * the sandbox. */

#include "core/ports/renderer.h"

typedef struct Metadata {
    PhotoInfo photo;
    FilmInfo film; /* of a film */
    RawInfo raw;   /* of a raw file */
} Metadata;

/*
 * Of a film, or its "moov" box alone; or of a whole raw file. 0; RENDER_UNSUPPORTED: it is neither;
 * or RENDER_UNREADABLE with *reterr_detail (a literal).
 */
int metadata_read(Str bytes, Metadata *ret_metadata, const char **reterr_detail);
