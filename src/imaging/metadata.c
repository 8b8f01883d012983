/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/metadata.h"

#include "core/model/photo_type.h"
#include "imaging/film.h"
#include "imaging/raw.h"

int metadata_read(Str bytes, Metadata *ret_metadata, const char **reterr_detail) {
    PhotoType type = photo_type_sniff(bytes);

    *reterr_detail = "";
    *ret_metadata = (Metadata){.photo = PHOTO_INFO_INIT};
    switch (photo_type_info(type)->kind) {
    case PHOTO_KIND_VIDEO:
        if (film_read(bytes, &ret_metadata->film, &ret_metadata->photo) != 0) {
            *reterr_detail = "The film is broken or ends too early.";
            return RENDER_UNREADABLE;
        }
        return 0;
    case PHOTO_KIND_RAW:
        raw_read(bytes, type, &ret_metadata->raw, &ret_metadata->photo);
        return 0;
    default:
        return RENDER_UNSUPPORTED;
    }
}
