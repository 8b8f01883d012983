/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What raw files say of themselves, and the picture that their camera has put into them. */

#include "core/model/photo_info.h"
#include "core/model/photo_type.h"
#include "core/model/raw_info.h"

/*
 * Of a whole file of a type of PHOTO_KIND_RAW. `orientation` is how the preview and the samples are
 * to be turned; what the raw file does not say of how it was taken, its preview does. Only the
 * heads of JPEGs are read. Both results are valid.
 */
void raw_read(Str file, PhotoType type, RawInfo *ret_raw, PhotoInfo *ret_photo);
